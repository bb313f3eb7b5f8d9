/** A promise that somebody else keeps. Nobody has to await it: whoever does is told. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  resolve!: (value: T) => void;
  reject!: (error: Error) => void;

  constructor() {
    this.promise = new Promise<T>((yes, no) => {
      this.resolve = yes;
      this.reject = no;
    });
    this.promise.catch(() => {});
  }
}
