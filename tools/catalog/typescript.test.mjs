// The TypeScript types, by the compiler.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { catalog, goldens, overlay, root } from './catalog.mjs';

let folder;
before(() => (folder = mkdtempSync(join(tmpdir(), 'rte-types-'))));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Compiles a source beside the types; returns the compiler's complaints. */
function compile(name, types, source) {
  writeFileSync(join(folder, `${name}.gen.ts`), types);
  writeFileSync(join(folder, `${name}.ts`), source.replaceAll('TYPES', `./${name}.gen.ts`));
  const flags = ['--strict', '--noEmit', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--noUnusedLocals', '--verbatimModuleSyntax',
    '--allowImportingTsExtensions', '--module', 'esnext', '--moduleResolution', 'bundler', '--target', 'es2022', '--types', '']; // prettier-ignore
  try {
    execFileSync(join(root, 'tools/catalog/node_modules/.bin/tsc'), [...flags, join(folder, `${name}.ts`)], { encoding: 'utf8', stdio: 'pipe' });
    return '';
  } catch (err) {
    return err.stdout + err.stderr;
  }
}

test('every golden payload has the type of its event', () => {
  const list = goldens().filter((g) => !g.file.includes('.unknown.')); // has members that no type has
  const source = list.map((g, i) => `export const p${i}: EventMap["${g.event}"] = ${g.wire}; // ${g.file}`).join('\n');
  assert.equal(compile('golden', catalog('typescript'), `import type { EventMap } from "TYPES";\n${source}\n`), '');
});

test('the name of an event tells the type of its data', () => {
  const source = `
import { eventNames, isEvent } from "TYPES";
import type { AnyPush, EventMap, EventName, OpenStatus, Push } from "TYPES";

export function show(push: AnyPush): string {
  if (isEvent(push, "QueueStatus")) {
    const waiting: number = push.data.nbrOfQueuingRequesters;
    const status: OpenStatus = push.data.openStatus;
    // @ts-expect-error a status has no caller
    void push.data.callerNumber;
    return push.subscription.eventName + waiting + status + (push.cursor ?? "");
  }
  if (isEvent(push, "CallbackChanged")) {
    // @ts-expect-error it may be null
    push.data.note.length;
    return (push.data.callbackAttempts ?? []).map((a) => a.note ?? "").join();
  }
  // @ts-expect-error nothing is known of other data
  return push.data.anything;
}

// Handlers by name get the data of that event.
type Handlers = { [N in EventName]?: (data: EventMap[N], push: Push<N>) => void };
export const handlers: Handlers = {
  UserStatus: (data) => void (data.wrapUpEnd satisfies string | null),
  UserCallInComing: (data) => void data.username,
  // @ts-expect-error it is spelled userName here
  UserCallInArrived: (data) => void data.username,
  // @ts-expect-error no such event
  UserSettings: () => {},
};

// @ts-expect-error a closed list of values
export const lunch: EventMap["UserAvailability"]["availability"] = "Lunch";
export const other: EventMap["UserAssistedCallbackRequest"]["callEvent"] = "another"; // an open one
export const lower: Push<"QueueStatus">["subscription"]["eventName"] = "queuestatus";
export const first: "UserActionMobileCall" = eventNames[0];
`;
  assert.equal(compile('narrow', catalog('typescript'), source), '');
});

test('an overlay is in the types', () => {
  const source = `
import type { EventName } from "TYPES";
export const names: EventName[] = ["QueueStatus", "UserWrapUpStarted"];
`;
  assert.equal(compile('overlay', catalog('typescript', '--overlay', overlay), source), '');
  assert.match(compile('plain', catalog('typescript'), source), /UserWrapUpStarted/);
});
