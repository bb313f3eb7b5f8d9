import type { AnyPush } from "../events.gen.ts";
import type { PlainError } from "../errors.ts";
import type { PairItem, SubscriptionItem } from "../pair.ts";
import type { ConnectionState, Notice } from "../state.ts";

/** What a tab asks the leader to do. */
export type Deed =
  | { do: "subscribe"; items: readonly (SubscriptionItem | null)[] }
  | { do: "unsubscribe"; items: readonly (PairItem | null)[] }
  | { do: "unsubscribeAll" }
  | { do: "available" }
  | { do: "explain"; items: readonly (PairItem | null)[] };

/** How far a tab has heard a pair. */
export interface Heard {
  item: PairItem;
  cursor: string | null;
  /** A snapshot was asked for and has not come. */
  owed: boolean;
}

/** A change of state without what cannot be sent. */
export interface PlainChange {
  state: ConnectionState;
  error?: PlainError;
  retryIn?: number;
  recovered?: boolean;
}

/** What tabs say to one another; leader says under whose lead. */
export type Word =
  /** A tab is new, or has come back: who leads? */
  | { word: "hello"; tab: string }
  /** A tab does not want anything any more. */
  | { word: "bye"; tab: string }
  /** Somebody has begun to lead: what has everybody heard? */
  | { word: "lead"; leader: string }
  | { word: "here"; leader: string; tab: string; heard: Heard[] }
  /** The leader's connection goes on from these places, pair by pair. */
  | { word: "from"; leader: string; places: [key: string, cursor: string | null][] }
  /** An answer to hello. */
  | { word: "welcome"; leader: string; tab: string; change: PlainChange }
  | { word: "ask"; leader: string; tab: string; id: number; deed: Deed }
  | { word: "answer"; leader: string; tab: string; id: number; result: unknown; places: [key: string, Heard][] }
  | { word: "refuse"; leader: string; tab: string; id: number; error: PlainError }
  /** only: for one tab; else for whoever wants the pair. */
  | { word: "push"; leader: string; push: AnyPush; only?: string }
  /** A pair's place has changed without an event. */
  | { word: "place"; leader: string; key: string; cursor: string }
  | { word: "state"; leader: string; change: PlainChange }
  | { word: "notice"; leader: string; notice: Notice };
