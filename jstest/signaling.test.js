import { test, mock } from 'node:test';
import assert from 'node:assert/strict';
import { Signaling } from '../static/js/net/signaling.js';
import { decode, offersTo, politeTo } from '../static/js/net/messages.js';
import { fakeWebSocket, peer, welcome } from './socket.js';

/** A client in a world whose clock we turn. */
function client(t) {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { WebSocket, sockets } = fakeWebSocket();
  const signaling = new Signaling({ url: 'ws://x/rooms/r/ws', name: 'Ann', WebSocket, random: () => 1 });
  const states = [];
  const messages = [];
  signaling.addEventListener('state', (e) => states.push(e.detail));
  signaling.addEventListener('message', (e) => messages.push(e.detail));
  const join = (fields) => {
    const socket = sockets.at(-1);
    socket.accept();
    socket.say(welcome(fields));
    return socket;
  };
  return { signaling, sockets, states, messages, join };
}
const signal = (n) => ({ type: 'signal', to: 'p', session: 1, candidate: { candidate: `c${n}` } });

test('joins, and is open with the welcome', (t) => {
  const { signaling, sockets, states, messages, join } = client(t);
  signaling.connect();
  assert.deepEqual(states, ['connecting']);
  const socket = join();
  assert.deepEqual(socket.sent, [{ type: 'join', v: 1, name: 'Ann', kind: 'browser' }]);
  assert.deepEqual(states, ['connecting', 'open']);
  assert.equal(messages[0].type, 'welcome');
  assert.equal(sockets.length, 1);
});

test('comes back with the token, and then says what was kept', (t) => {
  const { signaling, sockets, states, join } = client(t);
  signaling.connect();
  join();
  sockets[0].break();
  signaling.send(signal(1));
  signaling.send(signal(2));
  assert.equal(states.at(-1), 'reconnecting');
  mock.timers.tick(500);
  assert.equal(sockets.length, 2);
  join({ resumed: true, resume: 'token-2' });
  assert.equal(sockets[1].sent[0].resume, 'token-1');
  assert.deepEqual(sockets[1].sent.slice(1), [signal(1), signal(2)]);
  sockets[1].break();
  mock.timers.tick(500);
  join({ resumed: true });
  assert.equal(sockets[2].sent[0].resume, 'token-2', 'each welcome brings a new token');
});

test('what was kept for a membership that is over is not said', (t) => {
  const { signaling, sockets, join } = client(t);
  signaling.connect();
  join();
  sockets[0].break();
  signaling.send(signal(1));
  mock.timers.tick(500);
  join({ resumed: false });
  assert.equal(sockets[1].sent.length, 1);
});

test('a signal that is repeated after a break is taken once', (t) => {
  const { signaling, sockets, messages, join } = client(t);
  signaling.connect();
  join();
  const say = (n) => sockets.at(-1).say({ type: 'signal', from: 'p', n, session: 1, candidate: { candidate: `c${n}` } });
  const heard = () => messages.filter((m) => m.type === 'signal').map((m) => m.n);
  say(1);
  say(2);
  sockets[0].break();
  mock.timers.tick(500);
  join({ resumed: true });
  say(2);
  say(3);
  assert.deepEqual(heard(), [1, 2, 3]);
  sockets[1].break();
  mock.timers.tick(500);
  join({ resumed: false });
  say(1);
  assert.deepEqual(heard(), [1, 2, 3, 1], 'a new membership counts from one again');
});

test('the queue is bounded, the newest stay', (t) => {
  const { signaling, sockets, join } = client(t);
  signaling.connect();
  join();
  sockets[0].break();
  for (let i = 0; i < 2000; i++) signaling.send(signal(i));
  mock.timers.tick(500);
  join({ resumed: true });
  assert.equal(sockets[1].sent.length, 501);
  assert.equal(sockets[1].sent.at(-1).candidate.candidate, 'c1999');
});

test('waits twice as long each time, from half a second to eight, and starts over after a welcome', (t) => {
  const { signaling, sockets, join } = client(t);
  signaling.connect();
  const waits = [];
  for (let i = 0; i < 7; i++) {
    sockets.at(-1).break();
    const before = sockets.length;
    let waited = 0;
    while (sockets.length === before) { mock.timers.tick(250); waited += 250; }
    waits.push(waited);
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
  join();
  sockets.at(-1).break();
  const before = sockets.length;
  mock.timers.tick(500);
  assert.equal(sockets.length, before + 1);
});

test('a socket that never answers is given up', (t) => {
  const { signaling, sockets } = client(t);
  signaling.connect();
  sockets[0].accept();
  mock.timers.tick(10_000);
  assert.ok(sockets[0].closed);
  mock.timers.tick(500);
  assert.equal(sockets.length, 2);
  sockets[0].say(welcome());
  assert.equal(signaling.state, 'connecting', 'the old socket has no say any more');
});

test('after a fatal error it stays away', (t) => {
  for (const code of ['no-room', 'room-full', 'bad-version', 'bad-message', 'rate-limited']) {
    const { signaling, sockets, messages } = client(t);
    signaling.connect();
    sockets[0].accept();
    sockets[0].say({ type: 'error', code, message: 'no', fatal: true });
    sockets[0].break();
    mock.timers.tick(60_000);
    assert.equal(signaling.state, 'closed');
    assert.equal(sockets.length, 1, code);
    assert.equal(messages.at(-1).fatal, true);
    mock.timers.reset();
  }
});

test('errors that pass are tried again, and are not fatal', (t) => {
  const { signaling, sockets, messages, join } = client(t);
  signaling.connect();
  join();
  sockets[0].say({ type: 'error', code: 'too-slow', message: 'your queue filled', fatal: true });
  assert.equal(messages.at(-1).fatal, false);
  assert.equal(signaling.state, 'reconnecting');
  mock.timers.tick(500);
  assert.equal(sockets.length, 2);
});

test('bye: replaced is the end, shutdown is not', (t) => {
  const { signaling, sockets, join } = client(t);
  signaling.connect();
  join();
  sockets[0].say({ type: 'bye', reason: 'shutdown' });
  assert.equal(signaling.state, 'reconnecting');
  mock.timers.tick(500);
  join({ resumed: true });
  sockets[1].say({ type: 'bye', reason: 'replaced' });
  assert.equal(signaling.state, 'closed');
  mock.timers.tick(60_000);
  assert.equal(sockets.length, 2);
});

test('close says bye', (t) => {
  const { signaling, sockets, join } = client(t);
  signaling.connect();
  join();
  signaling.close();
  assert.deepEqual(sockets[0].sent.at(-1), { type: 'bye' });
  assert.ok(sockets[0].closed);
  mock.timers.tick(60_000);
  assert.equal(sockets.length, 1);
});

test('on suspicion it comes back on a new socket, but not all the time', (t) => {
  const { signaling, sockets, join } = client(t);
  signaling.connect();
  join();
  signaling.suspect();
  assert.ok(sockets[0].closed);
  mock.timers.tick(0);
  assert.equal(sockets.length, 2);
  join({ resumed: true });
  signaling.suspect();
  mock.timers.tick(0);
  assert.equal(sockets.length, 2);
});

test('bytes that do not leave the socket give it away', (t) => {
  const { signaling, sockets, join } = client(t);
  signaling.connect();
  join();
  sockets[0].bufferedAmount = 100;
  signaling.send(signal(1));
  mock.timers.tick(5000);
  assert.ok(sockets[0].closed);
  mock.timers.tick(0);
  assert.equal(sockets.length, 2);
});

test('a message above 64 KiB is not sent: it would end the membership', (t) => {
  const { signaling, sockets, join } = client(t);
  signaling.connect();
  join();
  signaling.send({ type: 'signal', to: 'p', session: 1, description: { type: 'offer', sdp: 'é'.repeat(40_000) } });
  assert.equal(sockets[0].sent.length, 1);
});

test('decode takes what the protocol says and nothing else', () => {
  const good = [
    welcome(), welcome({ peers: null, iceServers: null }), { type: 'peer-joined', peer: peer('a', 1) },
    { type: 'peer-state', id: 'a', state: 'away' }, { type: 'peer-left', id: 'a', reason: 'bye' },
    { type: 'signal', from: 'a', session: 1, want: 'new-session' },
    { type: 'signal', from: 'a', session: 1, candidate: { candidate: '' } },
    { type: 'ice-servers', iceServers: [{ urls: ['stun:x'] }], iceTTL: 1 },
    { type: 'error', code: 'x', message: 'y', fatal: false }, { type: 'bye', reason: 'shutdown' },
  ];
  for (const message of good) assert.equal(decode(JSON.stringify(message))?.type, message.type);
  assert.deepEqual(decode(JSON.stringify(welcome({ peers: null }))).peers, []);
  const bad = [
    '', 'x', '[]', 'null', '{}', '{"type":"toString"}', '{"type":"new"}', new ArrayBuffer(1),
    { type: 'welcome' }, welcome({ self: null }), welcome({ peers: [1] }), { type: 'peer-joined', peer: { id: '' } },
    { type: 'peer-joined', peer: { ...peer('a', 1), kind: 'fish' } }, { type: 'peer-state', id: 'a', state: 'x' },
    { type: 'signal', from: 'a', session: 0, want: 'new-session' }, { type: 'signal', from: 'a', session: 1 },
    { type: 'signal', from: 'a', session: 1, want: 'ice-restart', candidate: { candidate: '' } },
    { type: 'signal', from: 'a', session: 1, description: { type: 'rollback', sdp: '' } },
    { type: 'ice-servers', iceServers: [{ urls: 'stun:x' }] },
  ];
  for (const message of bad) assert.equal(decode(typeof message === 'object' && !(message instanceof ArrayBuffer) ? JSON.stringify(message) : message), null);
});

test('who offers, and who is polite', () => {
  const [old, young, go, oldGo] = [peer('o', 1), peer('y', 2), peer('g', 3, 'go'), peer('h', 0, 'go')];
  assert.ok(offersTo(young, old) && !offersTo(old, young));
  assert.ok(offersTo(old, go) && !offersTo(go, old) && offersTo(old, oldGo));
  assert.ok(offersTo(go, oldGo) && !offersTo(oldGo, go));
  assert.ok(politeTo(young, old) && !politeTo(old, young));
  assert.ok(politeTo(old, go) && politeTo(old, oldGo));
});
