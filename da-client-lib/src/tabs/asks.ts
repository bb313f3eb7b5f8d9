import { AbortedError, errorOf, type DAError } from "../errors.ts";
import { keyOf, type SubscriptionResult } from "../pair.ts";
import type { Book } from "./book.ts";
import type { Deed, Word } from "./words.ts";

interface Asked {
  deed: Deed;
  resolve(result: unknown): void;
  reject(error: DAError): void;
}

/** What a tab has asked its leader for, until it is answered: leaders come and go meanwhile. */
export class Asks {
  private readonly asked = new Map<number, Asked>();
  private ids = 0;

  /** snapshot is what items ask for that do not say; send says a deed to the leader, if there is one. */
  constructor(
    private readonly book: Book,
    private readonly snapshot: boolean,
    private readonly send: (id: number, deed: Deed) => void,
  ) {}

  /** Asks for a deed. */
  ask(deed: Deed, signal?: AbortSignal): Promise<unknown> {
    if (signal?.aborted) return Promise.reject(new AbortedError({ cause: signal.reason }));
    return new Promise((resolve, reject) => {
      const id = ++this.ids;
      const abort = (): void => {
        this.asked.delete(id);
        this.withdraw(deed, id);
        reject(new AbortedError({ cause: signal?.reason }));
      };
      const end = (): void => signal?.removeEventListener("abort", abort);
      signal?.addEventListener("abort", abort, { once: true });
      this.asked.set(id, { deed, resolve: (result) => (end(), resolve(result)), reject: (error) => (end(), reject(error)) });
      if (deed.do === "subscribe") {
        for (const item of deed.items) if (item !== null) this.book.want(item, id, item.Snapshot ?? this.snapshot);
      }
      this.send(id, deed);
    });
  }

  /** There is another leader: what is not answered is asked of it. */
  flow(): void {
    for (const [id, { deed }] of this.asked) this.send(id, deed);
  }

  /** Takes in the leader's answer to this tab. */
  answered(word: Extract<Word, { word: "answer" | "refuse" }>): void {
    const asked = this.asked.get(word.id);
    if (asked === undefined) return;
    this.asked.delete(word.id);
    const { deed } = asked;
    if (word.word === "refuse") {
      this.withdraw(deed, word.id);
      return asked.reject(errorOf(word.error));
    }
    if (deed.do === "subscribe") {
      const places = new Map(word.places);
      const results = word.result as SubscriptionResult[];
      deed.items.forEach((item, i) => {
        if (item !== null) this.book.settle(item, results[i], places.get(keyOf(item.EntityId, item.EventName)), word.id);
      });
    } else if (deed.do === "unsubscribe") {
      for (const item of deed.items) if (item !== null) this.book.drop(keyOf(item.EntityId, item.EventName), word.id);
    } else if (deed.do === "unsubscribeAll") {
      for (const key of this.book.keys()) this.book.drop(key, word.id);
    }
    asked.resolve(word.result);
  }

  /** Ends all of it. */
  refuse(error: DAError): void {
    for (const [id, { deed, reject }] of this.asked) {
      this.withdraw(deed, id);
      reject(error);
    }
    this.asked.clear();
  }

  /** What a call asked for is not wanted, unless it was there before. */
  private withdraw(deed: Deed, id: number): void {
    if (deed.do !== "subscribe") return;
    for (const item of deed.items) if (item !== null) this.book.settle(item, undefined, undefined, id);
  }
}
