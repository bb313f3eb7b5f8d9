import { byId, setAttribute, setText } from "./dom.ts";
import { readClaims } from "./token.ts";

/** Asks for a token and calls back with one that can be read. */
export function signIn(reason: string, done: (token: string) => void): void {
  const section = byId("sign-in");
  const form = byId("sign-in-form") as HTMLFormElement;
  const field = byId("sign-in-token") as HTMLTextAreaElement;
  const problem = byId("sign-in-problem");
  setText(problem, reason);
  setAttribute(section, "hidden", null);
  setAttribute(byId("board"), "hidden", "");
  field.focus();
  form.onsubmit = (event): void => {
    event.preventDefault();
    const token = tokenIn(field.value);
    try {
      readClaims(token);
      done(token);
    } catch (error) {
      setText(problem, error instanceof Error ? error.message : "");
      field.focus();
    }
  };
}

/** The token in what was pasted, which may be the whole address. */
export function tokenIn(text: string): string {
  const after = /[#&?]token=([^&\s]+)/.exec(text)?.[1];
  return after === undefined ? text.trim() : decodeURIComponent(after);
}
