import { test, mock } from 'node:test';
import assert from 'node:assert/strict';
import { Link } from '../static/js/net/link.js';
import { Recorder } from '../static/js/inspect/recorder.js';
import { fakeNetwork } from './peerconnection.js';
import { settle } from './channel.js';
import { peer } from './socket.js';

const HOST = 'candidate:1 1 udp 2122 10.0.0.9 5000 typ host';

/** Two links to each other; `mail` is what was said, and may hold it back or lose it. */
function pair(t, { kinds = ['browser', 'browser'] } = {}) {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  t.after(() => mock.timers.reset());
  const world = fakeNetwork();
  const mail = { log: [], held: null, lose: () => false };
  const peers = [peer('old', 1, kinds[0]), peer('new', 2, kinds[1])];
  const online = { old: true, new: true };
  const links = {};
  const deliver = (from, msg) => setImmediate(() => links[msg.to]?.receive({ ...msg, from }));
  const make = (self, other) => new Link({
    self, peer: other, choice: 'any', recorder: new Recorder(),
    iceServers: [{ urls: ['stun:s'] }, { urls: ['turn:s', 'turn:s?transport=tcp'], username: 'u', credential: 'c' }],
    online: () => online[self.id], suspect: () => { mail.suspected = self.id; },
    send: (msg) => {
      mail.log.push({ from: self.id, ...msg });
      if (mail.lose(self.id, msg)) return;
      if (mail.held) mail.held.push(() => deliver(self.id, msg));
      else deliver(self.id, msg);
    },
    RTCPeerConnection: world.RTCPeerConnection,
  });
  // A link is named after the one who owns it.
  links.old = make(peers[0], peers[1]);
  links.new = make(peers[1], peers[0]);
  t.after(() => { links.old.close(); links.new.close(); });
  const begin = async () => { links.old.begin(); links.new.begin(); await settle(40); };
  const release = async () => { const held = mail.held; mail.held = null; for (const send of held) send(); await settle(40); };
  return { world, mail, links, online, begin, release };
}
const states = ({ links }) => [links.old.state, links.new.state];
const descriptions = (mail) => mail.log.filter((m) => m.description).map((m) => [m.from, m.description.type, m.session]);

test('the newcomer offers, once, and both connect with four channels', async (t) => {
  const p = pair(t);
  await p.begin();
  assert.deepEqual(states(p), ['connected', 'connected']);
  assert.deepEqual(descriptions(p.mail), [['new', 'offer', 1], ['old', 'answer', 1]]);
  assert.deepEqual([...p.links.new.pc.channels.values()].map((c) => [c.id, c.label]), [[0, 'chat'], [1, 'files'], [2, 'bench'], [3, 'probe']]);
  const ends = p.mail.log.filter((m) => m.candidate?.candidate === '').map((m) => m.from).sort();
  assert.deepEqual(ends, ['new', 'old'], 'each tells once that no more candidates come');
  p.links.old.chat.send('hello');
  await settle();
  assert.equal(p.links.new.chat.messages[0].text, 'hello');
  assert.ok(p.links.old.chat.messages[0].delivered);
});

test('both restart ICE at once: the polite one gives way, the channels stay', async (t) => {
  const p = pair(t);
  await p.begin();
  p.mail.held = [];
  const before = p.links.new.pc;
  p.links.old.restartIce();
  p.links.new.restartIce();
  await settle();
  assert.deepEqual(descriptions(p.mail).slice(2), [['old', 'offer', 1], ['new', 'offer', 1]], 'the offers cross');
  await p.release();
  assert.equal(p.world.rollbacks, 1);
  assert.deepEqual(states(p), ['connected', 'connected']);
  assert.equal(p.links.new.pc, before);
  assert.equal(p.links.old.pc.signalingState, 'stable');
  assert.equal(p.links.new.pc.signalingState, 'stable');
});

test('candidates that overtake the description wait for it', async (t) => {
  const p = pair(t);
  p.mail.held = [];
  await p.begin();
  const candidates = p.mail.held.length;
  assert.ok(candidates > 1);
  const [offer, ...rest] = p.mail.held;
  // A candidate of a session that nobody has heard of is dropped; one of the session, before its answer, is kept.
  p.mail.held = [];
  offer();
  await settle();
  for (const send of rest) send();
  p.links.new.receive({ type: 'signal', from: 'old', session: 1, candidate: { candidate: HOST } });
  await settle(40);
  assert.equal(p.links.new.pc.remoteDescription, null, 'the answer is still on its way');
  await p.release();
  assert.ok(p.links.old.pc.candidates.some((c) => c.includes('10.0.0.1 ')));
  assert.ok(p.links.new.pc.candidates.includes(HOST));
});

test('what is of an older session is ignored, what makes no sense does no harm', async (t) => {
  const p = pair(t);
  await p.begin();
  p.links.new.newSession();
  await settle(40);
  assert.equal(p.links.old.session, 2);
  assert.deepEqual(states(p), ['connected', 'connected']);
  const before = p.world.all.length;
  const heard = p.links.old.pc.remoteDescription;
  p.links.old.receive({ type: 'signal', from: 'new', session: 1, description: { type: 'offer', sdp: 'v=0 stale' } });
  p.links.old.receive({ type: 'signal', from: 'new', session: 1, want: 'new-session' });
  p.links.old.receive({ type: 'signal', from: 'new', session: 2, want: 'new-session' }); // it is not the offerer
  p.links.new.receive({ type: 'signal', from: 'old', session: 9, description: { type: 'offer', sdp: 'v=0' } }); // only the offerer counts up
  p.links.new.receive({ type: 'signal', from: 'old', session: 1, want: 'new-session' }); // was for the one before
  p.links.new.receive({ type: 'signal', from: 'old', session: 2, candidate: { candidate: 'nonsense', sdpMid: null } });
  p.links.new.receive({ type: 'signal', from: 'old', session: 2, description: { type: 'answer', sdp: 'v=0 late' } });
  await settle(40);
  assert.equal(p.links.old.pc.remoteDescription, heard);
  mock.timers.tick(30_000);
  await settle();
  assert.equal(p.world.all.length, before);
  assert.deepEqual(states(p), ['connected', 'connected']);
});

test('the answering side asks for a new session, and gets one', async (t) => {
  const p = pair(t);
  await p.begin();
  p.links.old.newSession();
  await settle(40);
  assert.ok(p.mail.log.some((m) => m.from === 'old' && m.want === 'new-session' && m.session === 1));
  assert.equal(p.links.old.session, 2);
  assert.deepEqual(states(p), ['connected', 'connected']);
});

test('an interruption: some seconds of patience, then an ICE restart', async (t) => {
  const p = pair(t);
  await p.begin();
  p.links.new.pc.become('disconnected');
  assert.equal(p.links.new.state, 'interrupted');
  mock.timers.tick(3000);
  await settle();
  assert.equal(descriptions(p.mail).length, 2);
  mock.timers.tick(1000);
  await settle(40);
  assert.deepEqual(descriptions(p.mail).slice(2), [['new', 'offer', 1], ['old', 'answer', 1]]);
  assert.deepEqual(states(p), ['connected', 'connected']);
});

test('an interruption that ends by itself is left alone', async (t) => {
  const p = pair(t);
  await p.begin();
  p.links.new.pc.become('disconnected');
  mock.timers.tick(2000);
  p.links.new.pc.become('connected');
  mock.timers.tick(60_000);
  await settle();
  assert.equal(descriptions(p.mail).length, 2);
});

test('failed: restart at once; when that does not help, a new session', async (t) => {
  const p = pair(t);
  await p.begin();
  p.world.broken = true;
  p.links.new.pc.become('failed');
  mock.timers.tick(1);
  await settle(40);
  assert.equal(descriptions(p.mail)[2].join(), 'new,offer,1');
  assert.equal(p.links.new.session, 1);
  p.world.broken = false;
  mock.timers.tick(20_000);
  await settle(40);
  assert.equal(p.links.new.session, 2);
  assert.deepEqual(states(p), ['connected', 'connected']);
});

test('a closed channel takes a new session; unconfirmed chat arrives over it, once', async (t) => {
  const p = pair(t);
  await p.begin();
  p.links.new.pc.channels.get(1).close();
  await settle();
  p.links.old.chat.send('kept');
  mock.timers.tick(1000);
  await settle(60);
  assert.equal(p.links.old.session, 2);
  assert.deepEqual(states(p), ['connected', 'connected']);
  assert.deepEqual(p.links.new.chat.messages.map((m) => m.text), ['kept']);
});

test('no way through: it is said, and tried again with growing pauses, not in a loop', async (t) => {
  const p = pair(t);
  p.world.broken = true;
  await p.begin();
  for (let second = 0; second < 300; second++) {
    mock.timers.tick(1000);
    await settle(4);
  }
  assert.equal(p.links.new.state, 'failed');
  assert.ok(p.links.new.session >= 4 && p.links.new.session <= 20, `${p.links.new.session} sessions in five minutes`);
  p.world.broken = false;
  for (let second = 0; second < 80 && p.links.new.state !== 'connected'; second++) {
    mock.timers.tick(1000);
    await settle(4);
  }
  assert.deepEqual(states(p), ['connected', 'connected']);
});

test('both sides say that it failed, whoever does the trying, and say so no more when it works', async (t) => {
  const p = pair(t);
  await p.begin();
  p.world.broken = true;
  p.links.new.newSession();
  await settle(40);
  assert.deepEqual(states(p), ['interrupted', 'interrupted']);
  mock.timers.tick(14_000);
  assert.deepEqual(states(p), ['failed', 'failed']);
  assert.match(p.links.old.explanation.sentence, /^Failed/);
  p.world.broken = false;
  p.links.old.newSession();
  await settle(40);
  assert.deepEqual(states(p), ['connected', 'connected']);
  mock.timers.tick(60_000);
  await settle();
  assert.deepEqual(states(p), ['connected', 'connected']);
});

test('a lost offer is made again, and the socket is suspected', async (t) => {
  const p = pair(t);
  let lost = 0;
  p.mail.lose = (from, msg) => Boolean(msg.description) && lost++ === 0;
  await p.begin();
  assert.deepEqual(states(p), ['new', 'connecting']);
  mock.timers.tick(19_000);
  await settle(40);
  assert.equal(p.mail.suspected, 'new');
  assert.deepEqual(states(p), ['connected', 'connected']);
});

test('while the peer is away nothing is tried; when it is back, soon', async (t) => {
  const p = pair(t);
  await p.begin();
  p.links.new.setAway(true);
  p.links.new.pc.become('failed');
  mock.timers.tick(120_000);
  await settle();
  assert.equal(descriptions(p.mail).length, 2);
  p.links.new.setAway(false);
  await settle(40);
  assert.equal(descriptions(p.mail).length, 4);
});

test('a choice of path takes a new session with the servers it allows', async (t) => {
  const p = pair(t);
  await p.begin();
  p.links.new.setPath('relay-tcp');
  await settle(40);
  assert.equal(p.links.old.session, 2);
  const { iceServers, iceTransportPolicy } = p.links.new.pc.config;
  assert.equal(iceTransportPolicy, 'relay');
  assert.deepEqual(iceServers.map((s) => s.urls), [['turn:s?transport=tcp']]);
  p.links.old.setPath('direct');
  await settle(40);
  assert.equal(p.links.old.session, 3);
  assert.deepEqual(p.links.old.pc.config.iceServers.map((s) => s.urls), [['stun:s']]);
  assert.ok(!p.links.old.pc.candidates.some((c) => c.includes('typ relay')), 'the other side’s relay is not listened to');
  const told = p.mail.log.filter((m) => m.from === 'old' && m.session === 3 && m.candidate);
  assert.ok(!told.some((m) => m.candidate.candidate.includes('typ relay')), 'nor is ours told');
  p.links.new.setServers([{ urls: ['turn:t?transport=tcp'], username: 'v', credential: 'd' }]);
  assert.deepEqual(p.links.new.pc.config.iceServers.map((s) => s.urls), [['turn:t?transport=tcp']]);
});

test('toward a Go peer the browser offers, and takes no offer from it', async (t) => {
  const p = pair(t, { kinds: ['browser', 'go'] });
  await p.begin();
  assert.deepEqual(descriptions(p.mail), [['old', 'offer', 1], ['new', 'answer', 1]]);
  p.links.old.receive({ type: 'signal', from: 'new', session: 2, description: { type: 'offer', sdp: 'v=0' } });
  p.links.old.receive({ type: 'signal', from: 'new', session: 1, description: { type: 'offer', sdp: 'v=0' } });
  await settle();
  assert.equal(p.links.old.pc.signalingState, 'stable');
  p.links.old.receive({ type: 'signal', from: 'new', session: 1, want: 'ice-restart' });
  await settle();
  assert.equal(descriptions(p.mail).at(-2).join(), 'old,offer,1');
  p.links.old.receive({ type: 'signal', from: 'new', session: 1, want: 'new-session' });
  await settle(40);
  assert.equal(p.links.old.session, 2);
});

test('a peer that starts sessions without end is not followed', async (t) => {
  const p = pair(t);
  await p.begin();
  for (let session = 2; session < 500; session++) {
    p.links.old.receive({ type: 'signal', from: 'new', session, description: { type: 'offer', sdp: 'v=0\r\nx=1\r\n' } });
  }
  await settle();
  assert.ok(p.world.all.length < 50, `${p.world.all.length} connections`);
});

test('close ends everything, and nothing is said afterwards', async (t) => {
  const p = pair(t);
  await p.begin();
  const said = p.mail.log.length;
  p.links.new.close('over');
  await settle();
  mock.timers.tick(100_000);
  await settle();
  assert.equal(p.links.new.state, 'closed');
  assert.equal(p.mail.log.filter((m) => m.from === 'new').length, p.mail.log.slice(0, said).filter((m) => m.from === 'new').length);
  assert.throws(() => p.links.new.files.offer([new File(['x'], 'x')]));
});
