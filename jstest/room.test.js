import { test, mock } from 'node:test';
import assert from 'node:assert/strict';
import { Room } from '../static/js/net/room.js';
import { Recorder } from '../static/js/inspect/recorder.js';
import { fakeNetwork } from './peerconnection.js';
import { settle } from './channel.js';
import { fakeWebSocket, peer, welcome } from './socket.js';

function room(t) {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  t.after(() => mock.timers.reset());
  const { WebSocket, sockets } = fakeWebSocket();
  const world = fakeNetwork();
  const recorder = new Recorder();
  const nat = { asked: [], finds: 'not-port-dependent' };
  const made = new Room({ url: 'ws://x', name: 'Ann', recorder, WebSocket, RTCPeerConnection: world.RTCPeerConnection, measure: async (servers) => {
    nat.asked.push(servers);
    if (!nat.finds) throw new Error('no WebRTC');
    return { mapping: nat.finds };
  } });
  const events = [];
  for (const name of ['link', 'unlink', 'error']) made.addEventListener(name, (e) => events.push([name, e.detail.peer?.id ?? e.detail.code]));
  t.after(() => made.leave());
  made.join();
  const say = (message) => sockets.at(-1).say(message);
  const enter = (fields) => { sockets.at(-1).accept(); say(welcome({ self: peer('me', 5), ...fields })); };
  return { room: made, sockets, world, recorder, events, say, enter, nat };
}

test('links to those who are there, and to those who come; none to those who go', async (t) => {
  const { room: r, events, say, enter } = room(t);
  enter({ peers: [peer('a', 1)] });
  say({ type: 'peer-joined', peer: peer('b', 6) });
  say({ type: 'peer-joined', peer: peer('b', 6) });
  assert.deepEqual([...r.links.keys()], ['a', 'b']);
  assert.equal(r.self.id, 'me');
  assert.equal(r.maxPeers, 8);
  assert.equal(r.links.get('a').session, 1, 'to the older one we offer');
  assert.equal(r.links.get('b').session, 0, 'the younger one offers to us');
  say({ type: 'peer-state', id: 'a', state: 'away' });
  assert.ok(r.links.get('a').away);
  const link = r.links.get('a');
  say({ type: 'peer-left', id: 'a', reason: 'bye' });
  assert.equal(link.state, 'closed');
  assert.deepEqual(events, [['link', 'a'], ['link', 'b'], ['unlink', 'a']]);
});

test('a break of the socket leaves the links alone when the place was resumed', async (t) => {
  const { room: r, sockets, say, enter } = room(t);
  enter({ peers: [peer('a', 1), peer('b', 2)] });
  const link = r.links.get('a');
  sockets[0].break();
  assert.equal(r.state, 'reconnecting');
  mock.timers.tick(500);
  enter({ resumed: true, peers: [peer('a', 1), peer('c', 7)] });
  assert.equal(r.links.get('a'), link);
  assert.deepEqual([...r.links.keys()], ['a', 'c'], 'who left meanwhile is gone, who came is there');
  say({ type: 'signal', from: 'nobody', session: 1, want: 'new-session' });
});

test('somebody new to the room starts all links over', async (t) => {
  const { room: r, sockets, enter } = room(t);
  enter({ peers: [peer('a', 1)] });
  const link = r.links.get('a');
  sockets[0].break();
  mock.timers.tick(500);
  enter({ resumed: false, self: peer('me2', 9), peers: [peer('a', 1)] });
  assert.notEqual(r.links.get('a'), link);
  assert.equal(link.state, 'closed');
});

test('signals reach their link and go out through the socket', async (t) => {
  const { room: r, sockets, say, enter } = room(t);
  enter({ peers: [peer('a', 1)], iceServers: [{ urls: ['stun:s'] }] });
  await settle();
  const offer = sockets[0].sent.find((m) => m.description);
  assert.deepEqual([offer.to, offer.session, offer.description.type], ['a', 1, 'offer']);
  assert.deepEqual(r.links.get('a').pc.config.iceServers, [{ urls: ['stun:s'] }]);
  say({ type: 'ice-servers', iceServers: [{ urls: ['stun:t'] }], iceTTL: 1 });
  assert.deepEqual(r.links.get('a').pc.config.iceServers, [{ urls: ['stun:t'] }]);
  say({ type: 'signal', from: 'a', session: 1, want: 'new-session' });
  assert.equal(r.links.get('a').session, 2);
});

test('errors: one that passes, one that ends it without ending what is connected', async (t) => {
  const { room: r, events, say, enter } = room(t);
  enter({ peers: [peer('a', 1)] });
  say({ type: 'error', code: 'unknown-peer', message: 'nobody', fatal: false });
  say({ type: 'error', code: 'no-room', message: 'gone', fatal: true });
  assert.equal(r.state, 'closed');
  assert.equal(r.links.size, 1, 'the path between two peers does not need the room');
  assert.deepEqual(events.slice(1), [['error', 'unknown-peer'], ['error', 'no-room']]);
});

test('replaced: the links go to the other window', async (t) => {
  const { room: r, events, say, enter } = room(t);
  enter({ peers: [peer('a', 1)] });
  say({ type: 'bye', reason: 'replaced' });
  assert.equal(r.links.size, 0);
  assert.deepEqual(events.slice(1), [['unlink', 'a'], ['error', 'replaced']]);
});

test('a choice of path is for every link, and those to come', async (t) => {
  const { room: r, say, enter } = room(t);
  enter({ peers: [peer('a', 1)] });
  r.setPath('relay-udp');
  say({ type: 'peer-joined', peer: peer('b', 6) });
  assert.deepEqual([...r.links.values()].map((l) => l.choice), ['relay-udp', 'relay-udp']);
  assert.equal(r.links.get('a').pc.config.iceTransportPolicy, 'relay');
});

test('what was said goes into the record, with the peer it was about', async (t) => {
  const { recorder, enter } = room(t);
  enter({ peers: [peer('a', 1)] });
  await settle();
  const messages = recorder.events.filter((e) => e.kind === 'message').map((e) => [e.from, e.to, e.name, e.attrs?.peer]);
  assert.deepEqual(messages.slice(0, 3), [['me', 'server', 'join', undefined], ['server', 'me', 'welcome', undefined], ['me', 'server', 'offer', 'name of a']]);
  assert.ok(recorder.events.some((e) => e.kind === 'state' && e.name.startsWith('gathering')));
  assert.ok(recorder.events.some((e) => e.name === 'candidate'));
  assert.ok(!JSON.stringify(recorder).includes('token-1'), 'the token that resumes our place is nobody’s business');
});

const natServers = ['stun:192.0.2.1:3478', 'stun:192.0.2.1:3479'];
const shared = ({ sockets }) => sockets.at(-1).sent.filter((m) => m.type === 'nat');
const measured = async () => { mock.timers.tick(500); await settle(); };

test('a NAT is measured once, after the connections have begun, and told to the room', async (t) => {
  const w = room(t);
  w.enter({ natServers, peers: [{ ...peer('a', 1), nat: { mapping: 'address-and-port-dependent' } }] });
  await settle();
  assert.deepEqual([w.nat.asked, shared(w)], [[], []], 'nothing waits for it');
  assert.deepEqual(w.room.links.get('a').nats, { mine: null, theirs: { mapping: 'address-and-port-dependent' } });
  await measured();
  assert.deepEqual([w.nat.asked, shared(w)], [[natServers], [{ type: 'nat', nat: { mapping: 'not-port-dependent' } }]]);
  assert.deepEqual(w.room.links.get('a').nats.mine, { mapping: 'not-port-dependent' });
  assert.ok(w.recorder.events.some((e) => e.kind === 'note' && /two STUN ports/.test(e.text)));

  w.say({ type: 'peer-state', id: 'a', state: 'here', nat: { mapping: 'none' } });
  w.say({ type: 'peer-state', id: 'a', state: 'away' });
  w.say({ type: 'peer-state', id: 'a', state: 'here', nat: { mapping: 'of a later version' } });
  assert.deepEqual(w.room.links.get('a').nats.theirs, { mapping: 'none' }, 'what says nothing of it changes nothing');
});

test('the room is told its NAT again only if it has forgotten', async (t) => {
  const w = room(t);
  w.enter({ natServers });
  await measured();
  w.sockets[0].break();
  mock.timers.tick(500);
  w.enter({ natServers, resumed: true, self: { ...peer('me', 5), nat: { mapping: 'not-port-dependent' } }, peers: [{ ...peer('a', 1), nat: { mapping: 'none' } }] });
  await measured();
  assert.deepEqual(shared(w), []);
  assert.deepEqual(w.room.links.get('a').nats.theirs, { mapping: 'none' });
  w.sockets[1].break();
  mock.timers.tick(500);
  w.enter({ natServers, self: peer('me2', 9) });
  await measured();
  assert.equal(shared(w).length, 1);
  assert.equal(w.nat.asked.length, 1);
});

test('no NAT is measured without two ports, and none told that could not be', async (t) => {
  const w = room(t);
  w.enter({});
  await measured();
  assert.deepEqual(w.nat.asked, []);
  w.nat.finds = '';
  w.sockets[0].break();
  mock.timers.tick(500);
  w.enter({ natServers });
  await measured();
  assert.deepEqual([w.nat.asked.length, w.room.nat, shared(w)], [1, null, []]);
});
