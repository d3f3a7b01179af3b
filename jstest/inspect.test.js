import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Recorder } from '../static/js/inspect/recorder.js';
import { redact } from '../static/js/inspect/redact.js';
import { allCandidates } from '../static/js/inspect/candidates.js';
import { describeCandidate, snapshot } from '../static/js/inspect/stats.js';
import { isPrivate, isPublic } from '../static/js/inspect/address.js';
import { candidateAllowed, candidatesIn, configuration, filterDescription, parseCandidate, relayTransport } from '../static/js/net/candidate.js';

test('the recorder writes the run format', () => {
  let now = 1000;
  const recorder = new Recorder({ id: 'r1', now: () => now });
  const events = [];
  recorder.addEventListener('event', (e) => events.push(e.detail));
  recorder.message({ layer: 'ice', from: 'me', to: 'Ann', name: 'check' });
  now += 1.5;
  const end = recorder.span({ layer: 'app', from: 'me', name: 'connect' });
  end('connected');
  end('again');
  recorder.sample({ from: 'Ann', name: 'rtt', value: 0, unit: 'ms' });
  recorder.state({ from: 'me', name: 'ICE', text: '' });
  recorder.note({ text: 'x'.repeat(100_000) });
  recorder.fact({ name: 'f', value: 1, unit: 's' });
  const run = JSON.parse(JSON.stringify(recorder));
  assert.deepEqual(Object.keys(run).sort(), ['dropped', 'events', 'id', 'lab', 'network', 'params', 'started']);
  assert.deepEqual(run.events.map((e) => e.seq), [1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(run.events.map((e) => e.kind), ['message', 'span', 'span', 'sample', 'state', 'note', 'fact']);
  assert.equal(run.events[0].at_ns, 0);
  assert.equal(run.events[1].at_ns, 1_500_000);
  assert.equal(run.events[1].span, run.events[2].span);
  assert.equal(run.events[2].text, 'connected');
  assert.equal(run.events[3].value, 0);
  assert.ok(run.events[5].text.length < 20_000);
  assert.equal(events.length, 7);
  recorder.end();
  recorder.note({ text: 'late' });
  assert.equal(recorder.toJSON().events.length, 7);
  assert.ok(!Number.isNaN(Date.parse(recorder.toJSON().ended)));
});

test('the recorder is bounded and counts what it drops', () => {
  const recorder = new Recorder({ limit: 10 });
  for (let i = 0; i < 25; i++) recorder.note({ text: String(i) });
  assert.equal(recorder.events.length, 10);
  assert.equal(recorder.toJSON().dropped, 15);
});

test('samples leave place for what happens once', () => {
  const recorder = new Recorder({ limit: 100 });
  for (let i = 0; i < 500; i++) recorder.sample({ from: 'Ann', name: 'rtt', value: i, unit: 'ms' });
  recorder.note({ text: 'the connection broke' });
  assert.equal(recorder.events.length, 76);
  assert.equal(recorder.events.at(-1).text, 'the connection broke');
});

const SDP = [
  'v=0', 'o=- 1 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=ice-ufrag:SeCr', 'a=ice-pwd:VerySecretPassword0123456',
  'a=fingerprint:sha-256 AA:BB:CC:DD:EE:FF:00:11', 'c=IN IP6 2a01:4f8:c17:1234::2', 'a=mid:0',
  'a=candidate:1 1 udp 2122260223 192.168.1.7 51000 typ host generation 0 ufrag SeCr',
  'a=candidate:2 1 udp 2122262783 2a01:4f8:c17:1234::2 51001 typ host',
  'a=candidate:3 1 udp 1686052607 93.184.216.34 51002 typ srflx raddr 192.168.1.7 rport 51000',
  'a=candidate:4 1 udp 100 198.18.0.9 50003 typ relay raddr 93.184.216.34 rport 51002', '',
].join('\r\n');

test('redact takes every address out, the same everywhere, and leaves the rest', () => {
  const uuid = '1b2c3d4e-0000-4a5b-8c6d-001122334455.local';
  const recorder = new Recorder({ id: 'x' });
  recorder.message({ from: 'me', to: 'server', name: 'offer', text: SDP, attrs: { url: 'turn:relay.example.org:3478?transport=udp', peer: 'Ann' } });
  recorder.message({ from: 'server', to: 'me', name: 'candidate', text: `candidate:5 1 udp 1 ${uuid} 5000 typ host` });
  recorder.note({ text: 'Nominated: host [2A01:4F8:C17:1234::2]:51001 udp → srflx 93.184.216.34:51002 udp at 12:34:56, version 1.2.3' });
  recorder.note({ text: 'stun:93.184.216.34:3478 ::1 fe80::1%eth0 ::ffff:10.1.2.3 0.0.0.0 ::' });
  const run = recorder.toJSON();
  const clean = redact(run);
  const text = JSON.stringify(clean);
  for (const secret of ['192.168.1.7', '93.184', '2a01', '2A01', '198.18.0.9', '127.0.0.1', 'relay.example.org', uuid, 'SeCr', 'VerySecret', 'AA:BB', 'fe80', '10.1.2.3']) {
    assert.ok(!text.includes(secret), `${secret} is still there`);
  }
  assert.ok(JSON.stringify(run).includes('192.168.1.7'), 'the original is left alone');
  const lines = clean.events[0].text.split('\r\n');
  const host = parseCandidate(lines.find((l) => l.startsWith('a=candidate:1')));
  const host6 = parseCandidate(lines.find((l) => l.startsWith('a=candidate:2')));
  const srflx = parseCandidate(lines.find((l) => l.startsWith('a=candidate:3')));
  const relay = parseCandidate(lines.find((l) => l.startsWith('a=candidate:4')));
  assert.equal(srflx.relatedAddress, host.address);
  assert.equal(relay.relatedAddress, srflx.address);
  assert.notEqual(host.address, srflx.address);
  assert.ok(clean.events[2].text.includes(`[${host6.address}]:51001`), 'whatever the case of its letters');
  assert.ok(clean.events[2].text.includes(`${srflx.address}:51002`));
  assert.ok(clean.events[2].text.includes('12:34:56, version 1.2.3'));
  assert.ok(clean.events[3].text.includes('0.0.0.0'));
  assert.match(clean.events[1].text, /address-\d+\.local 5000/);
  assert.match(clean.events[0].attrs.url, /^turn:address-\d+\.invalid:3478\?transport=udp$/);
  assert.equal(clean.events[0].attrs.peer, 'Ann');
  assert.equal(clean.started, run.started);
});

test('redact with more addresses than one documentation range has', () => {
  const recorder = new Recorder();
  for (let i = 0; i < 400; i++) recorder.note({ text: `10.0.${i >> 8}.${i & 255}` });
  const texts = redact(recorder.toJSON()).events.map((e) => e.text);
  assert.equal(new Set(texts).size, 400);
  assert.ok(texts.every((t) => !t.startsWith('10.')));
});

test('candidate lines', () => {
  assert.deepEqual(parseCandidate('candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.17 rport 5000 generation 0', 'stun:s'), {
    type: 'srflx', protocol: 'udp', address: '203.0.113.7', port: 46154, relatedAddress: '10.0.0.17', relatedPort: 5000, priority: 1677729535, mdns: false, url: 'stun:s',
  });
  assert.equal(parseCandidate('a=candidate:1 1 TCP 1 abc.local 9 typ host tcptype active').mdns, true);
  for (const bad of ['', 'candidate:', 'candidate:1 1 udp x 1.2.3.4 5 typ host', 'candidate:1 1 udp 1 1.2.3.4 5 typ fish', 'a=mid:0']) assert.equal(parseCandidate(bad), null);
  assert.equal(candidatesIn(SDP).length, 4);
});

test('candidates that the statistics do not list are shown as they were announced', () => {
  const told = (text, url) => parseCandidate(`candidate:1 1 udp 7 ${text}`, url);
  const listed = [
    { id: 'a', type: 'host', protocol: 'udp', address: '', port: 5, mdns: false }, { id: 'b', type: 'srflx', protocol: 'udp', address: '203.0.113.7', port: 6, mdns: false },
  ];
  const all = allCandidates(listed, [
    told('x.local 5 typ host'), told('203.0.113.7 6 typ srflx'), told('203.0.113.7 8 typ srflx'), told('192.0.2.1 9 typ relay', 'turn:s?transport=tcp'), told('192.0.2.1 9 typ relay', 'turn:s?transport=tcp'),
  ]);
  assert.deepEqual(all.map((c) => `${c.type} ${c.address}:${c.port} ${c.relayProtocol ?? ''}`), ['host :5 ', 'srflx 203.0.113.7:6 ', 'srflx 203.0.113.7:8 ', 'relay 192.0.2.1:9 tcp']);
  assert.equal(new Set(all.map((c) => c.id)).size, 4);
});

test('what a choice of path lets through', () => {
  const relay = 'candidate:4 1 udp 100 198.18.0.9 50003 typ relay';
  assert.ok(candidateAllowed(relay, 'any') && candidateAllowed(relay, 'relay-udp') && !candidateAllowed(relay, 'direct'));
  assert.ok(candidateAllowed('', 'direct'));
  assert.equal(candidatesIn(filterDescription(SDP, 'direct')).length, 3);
  assert.equal(filterDescription(SDP, 'any'), SDP);
  const servers = [{ urls: ['stun:s'] }, { urls: ['turn:s:3478', 'turn:s:3478?transport=tcp', 'turns:s:5349', 'turns:s:5349?transport=udp'], username: 'u', credential: 'c' }];
  const urls = (choice) => configuration(servers, choice).iceServers.flatMap((s) => s.urls);
  assert.equal(urls('any').length, 5);
  assert.deepEqual(urls('direct'), ['stun:s']);
  assert.deepEqual(urls('relay-udp'), ['turn:s:3478', 'turns:s:5349?transport=udp']);
  assert.deepEqual(urls('relay-tcp'), ['turn:s:3478?transport=tcp', 'turns:s:5349']);
  assert.equal(configuration(servers, 'relay-tcp').iceTransportPolicy, 'relay');
  assert.equal(configuration(servers, 'direct').iceTransportPolicy, 'all');
  assert.equal(configuration(servers, 'relay-tcp').iceServers[0].credential, 'c');
  assert.equal(relayTransport('stun:s'), '');
});

test('a snapshot reads what getStats says, and works out rates', async () => {
  const report = (bytes) => new Map([
    { id: 'T', type: 'transport', selectedCandidatePairId: 'P', dtlsState: 'connected', bytesSent: bytes, bytesReceived: 2 * bytes },
    { id: 'L', type: 'local-candidate', candidateType: 'relay', protocol: 'udp', address: '192.0.2.1', port: 1, relayProtocol: 'tcp', url: 'turn:x' },
    { id: 'R', type: 'remote-candidate', candidateType: 'prflx', protocol: 'udp', ip: '192.0.2.2', port: 2 },
    { id: 'P', type: 'candidate-pair', localCandidateId: 'L', remoteCandidateId: 'R', state: 'succeeded', nominated: true, currentRoundTripTime: 0.05, requestsSent: 3, responsesReceived: 2 },
    { id: 'Q', type: 'candidate-pair', localCandidateId: 'gone', remoteCandidateId: 'R', state: 'failed' },
  ].map((r) => [r.id, r]));
  const pc = { iceConnectionState: 'connected', sctp: { state: 'connected' }, getStats: async () => report(pc.bytes), bytes: 1000 };
  const first = await snapshot(pc);
  assert.equal(first.selected.id, 'P');
  assert.equal(first.rtt, 50);
  assert.equal(first.sendRate, 0);
  assert.equal(first.dtls, 'connected');
  assert.equal(first.pairs[1].local, null);
  assert.equal(first.remote[0].address, '192.0.2.2');
  pc.bytes = 3000;
  const second = await snapshot(pc, { ...first, at: performance.now() - 1000 });
  assert.ok(Math.abs(second.sendRate - 2000) < 200, `${second.sendRate}`);
  assert.ok(Math.abs(second.receiveRate - 4000) < 400);
  assert.equal(describeCandidate(first.selected.local), 'relay 192.0.2.1:1 udp by tcp');
});

test('a pair that stops answering shows, and one that the browser forgets is kept', async () => {
  const pairs = [];
  const pc = { getStats: async () => new Map(pairs.map((r) => [r.id, r])) };
  const show = async (before, ...now) => {
    pairs.splice(0, pairs.length, ...now.map(([id, requestsSent, responsesReceived]) => ({ id, type: 'candidate-pair', requestsSent, responsesReceived })));
    return snapshot(pc, before);
  };
  const unanswered = (s) => s.pairs.map((p) => p.unanswered);
  const first = await show(null, ['A', 3, 2], ['B', 4, 0]);
  assert.deepEqual(unanswered(first), [0, 4]);
  const second = await show(first, ['A', 5, 2], ['B', 6, 0]);
  assert.deepEqual(unanswered(second), [2, 6]);
  const third = await show(second, ['A', 8, 2], ['C', 1, 1]);
  assert.deepEqual(unanswered(third), [5, 0]);
  assert.deepEqual(third.gone.map((p) => p.id), ['B']);
  const fourth = await show(third, ['A', 9, 3]);
  assert.deepEqual(unanswered(fourth), [0]);
  assert.deepEqual(fourth.gone.map((p) => p.id), ['B', 'C']);
});

test('addresses by what they tell', () => {
  for (const a of ['10.1.2.3', '172.16.0.1', '172.31.9.9', '192.168.0.1', '169.254.1.1', 'fd00::1', 'fe80::1']) assert.ok(isPrivate(a) && !isPublic(a), a);
  for (const a of ['203.0.113.1', '172.32.0.1', '2001:db8::1', '25.0.0.2']) assert.ok(isPublic(a) && !isPrivate(a), a);
  for (const a of ['', 'x.local', '127.0.0.1', '::1', '100.64.0.1', '0.0.0.0']) assert.ok(!isPublic(a), a);
});
