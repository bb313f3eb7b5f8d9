import type * as SignalR from "@microsoft/signalr";
import { Days } from "./day.ts";
import { items } from "./events.ts";
import { Live, type Client, type Listener, type RetryPolicy } from "./live.ts";
import { Board } from "./model.ts";
import { Pace } from "./pace.ts";
import { signIn } from "./sign-in.ts";
import { dropToken, readClaims, takeToken, type Claims, type Place } from "./token.ts";
import { View } from "./view.ts";

// Microsoft's bundle, which the page loads before this one.
declare const signalR: typeof SignalR;

const place: Place = { location, history, storage: sessionStorageOrNone() };

/** The hub stands beside the page's folder, whatever path both are under. */
const hub = new URL("../rte", document.baseURI).href;
const figures = new URL("../api/v1/figures", document.baseURI).href;

/** Microsoft's client, set up for this page. */
function client(token: string, policy: RetryPolicy): Client {
  return new signalR.HubConnectionBuilder()
    .withUrl(hub, { accessTokenFactory: () => token })
    .withAutomaticReconnect(policy)
    // At the level below it would log the address it connects to, which carries the token.
    .configureLogging(signalR.LogLevel.Warning)
    .build();
}

/** Shows the board of a token until the page is left. */
function show(token: string, claims: Claims): void {
  const now = (): number => Date.now();
  const board = new Board(claims, now());
  const view = new View(board);
  const pace = new Pace(
    { requestAnimationFrame: (f) => requestAnimationFrame(f), setTimeout: (f, ms) => setTimeout(f, ms), now },
    (at) => view.render(at),
  );
  // Waits, countdowns and the clock go on by themselves.
  const second = setInterval(() => pace.changed(), 1000);
  const change = (f: () => void): void => {
    f();
    pace.changed();
  };
  const listener: Listener = {
    connected: () => change(() => board.newConnection(now())),
    subscribed: (list) => change(() => board.subscribed(list)),
    live: () => change(() => board.wentLive(now())),
    event: (p) => change(() => board.apply(p, now())),
    lost: (problem) => change(() => board.lost(problem, now())),
    refused: (problem) =>
      change(() => {
        board.refused(problem, now());
        clearInterval(second);
        days.stop();
        dropToken(place);
        const ended = claims.expires !== null && claims.expires <= now();
        signIn(ended ? "The token has ended. Please paste a new one." : "The hub did not accept this token.", start);
      }),
  };
  const world = { random: Math.random, wait: (ms: number) => new Promise<void>((done) => setTimeout(done, ms)) };
  const ask = (): Promise<Response> => fetch(figures, { headers: { Authorization: `Bearer ${token}` }, cache: "no-store", referrerPolicy: "no-referrer" });
  const days = new Days(ask, (all) => change(() => board.days(all, now())), world);
  const live = new Live((policy) => client(token, policy), items(claims.queues, claims.users), listener, world);
  pace.changed();
  void live.connect();
  if (claims.queues.length > 0) void days.run();
}

/** A token was pasted. A fresh page shows it (hashchange, below): nothing of the last board can be left. */
function start(token: string): void {
  location.replace("#token=" + encodeURIComponent(token));
}

function begin(): void {
  const token = takeToken(place);
  if (token === null) return signIn("", start);
  let claims: Claims;
  try {
    claims = readClaims(token);
  } catch (error) {
    dropToken(place);
    return signIn(error instanceof Error ? error.message : "", start);
  }
  show(token, claims);
}

function sessionStorageOrNone(): Place["storage"] {
  try {
    return sessionStorage;
  } catch {
    return { getItem: () => null, setItem: () => undefined, removeItem: () => undefined };
  }
}

// A new token put into the address of the open page.
addEventListener("hashchange", () => {
  if (location.hash.includes("token=")) location.reload();
});

begin();
