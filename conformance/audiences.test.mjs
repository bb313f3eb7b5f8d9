// All, others, some, groups and users: one client of every way in one hub, so
// that whatever one sends reaches clients of the other encoding, too.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startHub } from './hub.mjs';
import { open, ways } from './ways.mjs';
import { within } from './wait.mjs';

let hub, sites;
const leave = [];
before(async () => {
  hub = await startHub();
  const scope = { after: (act) => leave.push(act) };
  // Users by the client's major version, in two spellings.
  sites = await Promise.all(ways.map((way, i) => open(scope, way, `${hub.url}/default?user=${i % 2 ? 'user' : 'USER'}${way.client.major}`)));
});
after(async () => {
  await Promise.all(leave.map((act) => act()));
  await hub?.stop();
});

/** Whoever answers a call has received what was sent to it before. */
const settled = () => within(Promise.all(sites.map(({ invoke }) => invoke('Nothing'))), 'answers');

/** Sends with a method and checks who receives it: exactly the sites for which heard says so, once. */
async function sends(from, method, names, heard) {
  const values = [`${method} 客`, { who: from.id, Casing: true, list: [1, null] }];
  for (const value of values) await from.invoke(method, ...names, value);
  await settled();
  for (const [i, { messages }] of sites.entries()) {
    const got = messages.items.splice(0);
    assert.deepEqual(got, heard(sites[i], i) ? values.map((value) => [value]) : [], `${method} to ${ways[i].name}`);
  }
}

/** A few senders: each encoding and transport, old and new. */
const senders = [0, 2, 4, ways.length - 1, ways.length - 2];

test('all, others, caller, all but some, one', async () => {
  for (const i of senders) {
    const from = sites[i];
    await sends(from, 'SendToAll', [], () => true);
    await sends(from, 'SendToOthers', [], (to) => to !== from);
    await sends(from, 'SendToCaller', [], (to) => to === from);
    await sends(from, 'SendToClient', [sites[7].id], (to) => to === sites[7]);
    await sends(from, 'SendToClient', ['nobody'], () => false);
    await sends(from, 'SendToAllExcept', [sites[4].id], (to) => to !== sites[4]);
  }
});

test('groups: by name in its own spelling, until one leaves', async () => {
  const member = (i) => i % 2 === 0;
  await within(Promise.all(sites.map(({ invoke }, i) => invoke('Join', member(i) ? 'Gruppe 客' : 'gruppe 客'))), 'joining');
  await sites[0].invoke('Join', 'Gruppe 客'); // once more is once
  for (const i of senders) {
    const from = sites[i];
    await sends(from, 'SendToGroup', ['Gruppe 客'], (to, k) => member(k));
    await sends(from, 'SendToGroup', ['GRUPPE 客'], () => false);
    await sends(from, 'SendToOthersInGroup', ['Gruppe 客'], (to, k) => member(k) && to !== from);
  }
  await sites[2].invoke('Leave', 'Gruppe 客');
  await sites[3].invoke('Leave', 'Gruppe 客'); // no member: nothing happens
  await sends(sites[1], 'SendToGroup', ['Gruppe 客'], (to, k) => member(k) && k !== 2);
  await sends(sites[1], 'SendToGroup', ['gruppe 客'], (to, k) => !member(k));
});

test('users: all connections of one, in its own spelling', async () => {
  for (const major of [1, 10]) {
    await sends(sites[0], 'SendToUser', [`user${major}`], (to, k) => ways[k].client.major === major && k % 2 === 1);
    await sends(sites[0], 'SendToUser', [`USER${major}`], (to, k) => ways[k].client.major === major && k % 2 === 0);
  }
  await sends(sites[0], 'SendToUser', ['User1'], () => false);
});

test('who has gone is nobody: sending to it is no error', async (t) => {
  const guests = await Promise.all(ways.slice(-9).map((way) => open(t, way, `${hub.url}/default?user=guest`)));
  await Promise.all(guests.map(({ invoke }) => invoke('Join', 'guests')));
  await Promise.all(guests.map(({ connection }) => connection.stop()));
  for (const { id } of guests) await hub.ended(id);
  const from = sites.at(-1);
  for (const { id } of guests) await sends(from, 'SendToClient', [id], () => false);
  await sends(from, 'SendToGroup', ['guests'], () => false);
  await sends(from, 'SendToUser', ['guest'], () => false);
});
