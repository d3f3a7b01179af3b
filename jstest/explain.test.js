import { test } from 'node:test';
import assert from 'node:assert/strict';
import { explain } from '../static/js/inspect/explain.js';
import { parseCandidate } from '../static/js/net/candidate.js';

let n = 0;
/** 'srflx 203.0.113.5:6000' and so on, as the statistics have it. */
function stat(text, more = {}) {
  const [type, address, port] = /^(\S+) (\S*):(\d+)$/.exec(text).slice(1);
  return { id: `c${n++}`, type, address: address === 'hidden' ? '' : address, port: Number(port), protocol: 'udp', relayProtocol: '', url: '', priority: 1, mdns: address.endsWith('.local'), ...more };
}
/** The same as it is announced; the base after '<'. */
function line(text) {
  const [candidate, base] = text.split(' < ');
  const { type, address, port } = stat(candidate);
  const related = base ? ` raddr ${base.slice(0, base.lastIndexOf(':'))} rport ${base.split(':').at(-1)}` : '';
  return parseCandidate(`candidate:1 1 udp 1 ${address} ${port} typ ${type}${related}`);
}
const pair = (local, remote, { sent = 1, answered = 0, selected = false } = {}) => ({
  id: `p${n++}`, local, remote, state: '', nominated: selected, selected, requestsSent: sent, requestsReceived: 0,
  responsesReceived: answered, unanswered: answered > 0 ? 0 : sent, rtt: null, bytesSent: 0, bytesReceived: 0,
});
const snap = (pairs, ice = 'connected', gone = []) => ({
  at: 0, local: pairs.map((p) => p.local).filter(Boolean), remote: [], pairs, gone, selected: pairs.find((p) => p.selected) ?? null, ice,
  dtls: '', sctp: '', bytesSent: 0, bytesReceived: 0, rtt: null, sendRate: 0, receiveRate: 0,
});
const chosen = (local, remote) => pair(local, remote, { answered: 1, selected: true });
const silent = (local = stat('host 10.0.0.2:1'), remote = stat('srflx 198.51.100.9:2')) => pair(local, remote, { sent: 7 });

const HOME = ['host 10.0.0.2:5000', 'srflx 203.0.113.5:6000 < 10.0.0.2:5000'];
const THEIRS = ['host 10.1.1.2:5001', 'srflx 198.51.100.9:7000 < 10.1.1.2:5001'];
const SYMMETRIC = ['host 10.0.0.2:5000', 'srflx 203.0.113.5:6000 < 10.0.0.2:5000', 'srflx 203.0.113.5:6001 < 10.0.0.2:5000'];
const SYM = { mapping: 'address-and-port-dependent' }, CONE = { mapping: 'endpoint-independent', filtering: 'address-and-port-dependent' }, LIKE = { mapping: 'not-port-dependent' };
const RELAY = 'relay 192.0.2.1:50000';

/** [what, evidence, path, a part of the sentence that must be there, one that must not] */
const table = [
  ['two home routers', { local: HOME, remote: THEIRS, pairs: [chosen(stat('srflx 203.0.113.5:6000'), stat('srflx 198.51.100.9:7000'))] },
    'direct', /your router and Ann's router let each other's packets through once both had sent one \(srflx to srflx\)\.$/],
  ['a router that changed the port toward us', { local: HOME, remote: THEIRS, pairs: [chosen(stat('srflx 203.0.113.5:6000'), stat('prflx 198.51.100.9:7777'))] },
    'direct', /Ann's router gave this path another port/, /Your router gave/],
  ['our router changed the port toward the peer', { local: HOME, remote: THEIRS, pairs: [chosen(stat('prflx 203.0.113.5:6999'), stat('srflx 198.51.100.9:7000'))] },
    'direct', /Your router gave this path another port/, /Ann's router gave/],
  ['a check that overtook its candidate proves no NAT', { local: ['host 10.0.0.2:5000'], remote: [], pairs: [chosen(stat('host 10.0.0.2:5000'), stat('prflx 198.51.100.9:7777'))] },
    'direct', /^Direct \(host to prflx\)\.$/, /router/],
  ['the same LAN', { local: HOME, remote: ['host 10.0.0.3:1'], pairs: [chosen(stat('host 10.0.0.2:5000'), stat('host 10.0.0.3:1'))] },
    'direct', /^Direct on the local network/],
  ['the same LAN behind mDNS names', { local: ['host a.local:1'], remote: ['host b.local:2'], pairs: [chosen(stat('host a.local:1'), stat('host b.local:2'))] },
    'direct', /^Direct on the local network/],
  ['the same LAN, the statistics hide the address', { local: ['host a.local:1'], remote: ['host b.local:2'], pairs: [chosen(stat('host hidden:1'), stat('host hidden:2'))] },
    'direct', /^Direct on the local network/],
  ['the peer’s private address learnt from its check', { local: HOME, remote: ['host b.local:2'], pairs: [chosen(stat('host 10.0.0.2:5000'), stat('prflx 10.0.0.7:2'))] },
    'direct', /^Direct on the local network/],
  ['one outside address, and it is not known which is the inside one',
    { local: ['host a.local:1', 'srflx 203.0.113.5:1 < 0.0.0.0:0'], remote: ['host b.local:2', 'srflx 203.0.113.5:2 < 0.0.0.0:0'], pairs: [chosen(stat('host hidden:1'), stat('srflx 203.0.113.5:2'))] },
    'direct', /within one network/, /router/],
  ['hidden bases and kept ports: a router is not proven',
    { local: ['host a.local:1', 'srflx 203.0.113.5:1 < 0.0.0.0:0'], remote: ['host b.local:2', 'srflx 198.51.100.9:2 < 0.0.0.0:0'], pairs: [chosen(stat('srflx 203.0.113.5:1'), stat('srflx 198.51.100.9:2'))] },
    'direct', /addresses that you and Ann have to the outside \(srflx to srflx\)/, /router/],
  ['hidden bases and changed ports: it is',
    { local: ['host a.local:1', 'srflx 203.0.113.5:91 < 0.0.0.0:0'], remote: ['host b.local:2', 'srflx 198.51.100.9:92 < 0.0.0.0:0'], pairs: [chosen(stat('srflx 203.0.113.5:91'), stat('srflx 198.51.100.9:92'))] },
    'direct', /your router and Ann's router/],
  ['this computer', { local: ['host 127.0.0.1:1'], remote: ['host 127.0.0.1:2'], pairs: [chosen(stat('host 127.0.0.1:1'), stat('host 127.0.0.1:2'))] },
    'direct', /without leaving this computer/],
  ['IPv6 at both ends', { local: ['host 2001:db8::1:1'], remote: ['host 2001:db8::2:2'], pairs: [chosen(stat('host 2001:db8::1:1'), stat('host 2001:db8::2:2'))] },
    'direct', /addresses on the internet, with no NAT/],
  ['a server and a home', { local: HOME, remote: ['host 198.51.100.1:2'], pairs: [chosen(stat('srflx 203.0.113.5:6000'), stat('host 198.51.100.1:2'))] },
    'direct', /Ann is reachable at an address of its own, and your router/],
  ['over TCP', { local: ['host 10.0.0.2:9'], remote: ['host 10.0.0.3:2'], pairs: [chosen(stat('host 10.0.0.2:9', { protocol: 'tcp' }), stat('host 10.0.0.3:2', { protocol: 'tcp' }))] },
    'direct', /runs over TCP/],

  ['symmetric on both sides', { nats: [SYM, SYM], local: [...HOME, RELAY], remote: THEIRS, pairs: [silent(), chosen(stat(RELAY, { relayProtocol: 'udp' }), stat(RELAY))] },
    'relayed', /^Relayed because your NAT and Ann's are both symmetric: a direct path needs one of the two to keep .*\. No pair of direct addresses answered, of 1 tried\.$/, /seems/],
  ['symmetric here, port-restricted there', { nats: [SYM, CONE], local: [...HOME, RELAY], remote: THEIRS, pairs: [silent(), chosen(stat(RELAY, { relayProtocol: 'udp' }), stat(RELAY))] },
    'relayed', /^Relayed because your NAT is symmetric and Ann's is a port-restricted cone: a direct path needs yours to keep the port that STUN saw, or Ann's to let in/],
  ['symmetric here, what is there a browser told', { nats: [SYM, LIKE], local: [...HOME, RELAY], remote: THEIRS, pairs: [silent(), chosen(stat(RELAY, { relayProtocol: 'udp' }), stat(RELAY))] },
    'relayed', /of 1 tried\. Your NAT is symmetric and Ann's is cone-like: a direct path needs .*, and that seems not to be so\.$/],
  ['two cones, as far as is known, and no path all the same', { nats: [LIKE, LIKE], local: [...HOME, RELAY], remote: THEIRS, pairs: [silent(), chosen(stat(RELAY, { relayProtocol: 'udp' }), stat(RELAY))] },
    'relayed', /of 1 tried\. Your NAT and Ann's are both cone-like; whether they let each other in is not known\.$/],
  ['two that would meet, but did not', { nats: [CONE, CONE], local: [...HOME, RELAY], remote: THEIRS, pairs: [silent(), chosen(stat(RELAY, { relayProtocol: 'udp' }), stat(RELAY))] },
    'relayed', /^Relayed: no pair .* That is not for the NATs \(your NAT and Ann's are both port-restricted cones\)/, /because/],
  ['one side is not known', { nats: [SYM, null], local: [...HOME, RELAY], remote: THEIRS, pairs: [silent(), chosen(stat(RELAY, { relayProtocol: 'udp' }), stat(RELAY))] },
    'relayed', /of 1 tried\.$/],
  ['both behind the same NAT: the rule is about two', { nats: [SYM, SYM], local: [...HOME, RELAY], remote: ['host 10.1.1.2:5001', 'srflx 203.0.113.5:7000 < 10.1.1.2:5001'], pairs: [silent(), chosen(stat(RELAY, { relayProtocol: 'udp' }), stat(RELAY))] },
    'relayed', /of 1 tried\.$/],
  ['no UDP there', { nats: [LIKE, { mapping: 'udp-blocked' }], local: [...HOME, RELAY], remote: ['host 10.1.1.2:5001', RELAY], pairs: [silent(), chosen(stat(RELAY, { relayProtocol: 'udp' }), stat(RELAY))] },
    'relayed', /^Relayed because no UDP gets through to Ann/],
  ['no UDP there, said a measurement that a candidate disproves', { nats: [LIKE, { mapping: 'udp-blocked' }], local: [...HOME, RELAY], remote: [...THEIRS, RELAY], pairs: [silent(), chosen(stat(RELAY, { relayProtocol: 'udp' }), stat(RELAY))] },
    'relayed', /of 1 tried\.$/],
  ['two cones', { nats: [CONE, CONE], local: HOME, remote: THEIRS, pairs: [chosen(stat('srflx 203.0.113.5:6000'), stat('srflx 198.51.100.9:7000'))] },
    'direct', /\(srflx to srflx\)\. Your NAT and Ann's are both port-restricted cones: each sends from the port that STUN saw\.$/],
  ['two as browsers tell them', { nats: [LIKE, LIKE], local: HOME, remote: THEIRS, pairs: [chosen(stat('srflx 203.0.113.5:6000'), stat('srflx 198.51.100.9:7000'))] },
    'direct', /\. Your NAT and Ann's are both cone-like\.$/],
  ['symmetric toward an open one', { nats: [SYM, { mapping: 'none', filtering: 'endpoint-independent' }], local: HOME, remote: ['host 198.51.100.1:2'], pairs: [chosen(stat('prflx 203.0.113.5:6001'), stat('host 198.51.100.1:2'))] },
    'direct', /Your NAT is symmetric and Ann has no NAT: one side sends from a port that STUN never saw, and the other lets it in\.$/],
  ['direct against the rule', { nats: [SYM, SYM], local: HOME, remote: THEIRS, pairs: [chosen(stat('srflx 203.0.113.5:6000'), stat('srflx 198.51.100.9:7000'))] },
    'direct', /By rule that would not be, as your NAT and Ann's are both symmetric; but what is measured counts\.$/],
  ['a LAN has no NAT in it', { nats: [SYM, SYM], local: HOME, remote: ['host 10.0.0.3:1'], pairs: [chosen(stat('host 10.0.0.2:5000'), stat('host 10.0.0.3:1'))] },
    'direct', /^Direct on the local network \(host to host\)\.$/],
  ['failed for the NATs', { nats: [SYM, SYM], state: 'failed', ice: 'failed', local: HOME, remote: THEIRS, pairs: [silent()] },
    'unknown', /neither side found a relay\. Your NAT and Ann's are both symmetric: a direct path needs/],

  ['relay only', { path: 'relay-udp', local: [RELAY], remote: [RELAY], pairs: [chosen(stat(RELAY), stat(RELAY))] }, 'relayed', /^Relayed because you chose relay only, over UDP\.$/],
  ['relay only over TCP', { path: 'relay-tcp', local: [RELAY], remote: [RELAY], pairs: [chosen(stat(RELAY, { relayProtocol: 'tcp' }), stat(RELAY))] }, 'relayed', /relay only, over TCP/],
  ['no direct pair answered', { local: [...HOME, RELAY], remote: THEIRS, pairs: [silent(), silent(), chosen(stat(RELAY, { relayProtocol: 'udp' }), stat('srflx 198.51.100.9:7000'))] },
    'relayed', /^Relayed: no pair of direct addresses answered, of 2 tried\.$/, /seems|TCP/],
  ['nor did the one that the browser has forgotten', { local: [...HOME, RELAY], remote: THEIRS, gone: [silent()], pairs: [chosen(stat(RELAY, { relayProtocol: 'udp' }), stat('srflx 198.51.100.9:7000'))] },
    'relayed', /^Relayed: no pair of direct addresses answered, of 1 tried\.$/],
  ['a relayed pair that the browser has forgotten was not direct', { local: [...HOME, RELAY], remote: [...THEIRS, RELAY], gone: [silent(stat('srflx 203.0.113.5:6000'), stat('prflx 192.0.2.1:50000'))], pairs: [chosen(stat(RELAY, { relayProtocol: 'udp' }), stat(RELAY))] },
    'relayed', /no pair of direct addresses to try/],
  ['the direct path broke', { local: [...HOME, RELAY], remote: THEIRS, pairs: [{ ...pair(stat('srflx 203.0.113.5:6000'), stat('srflx 198.51.100.9:7000'), { sent: 20, answered: 9 }), unanswered: 5 }, chosen(stat(RELAY, { relayProtocol: 'udp' }), stat(RELAY))] },
    'relayed', /^Relayed: the direct addresses, which answered at first, no longer do\.$/],
  ['and our router is seen to be symmetric', { local: [...SYMMETRIC, RELAY], remote: THEIRS, pairs: [silent(), chosen(stat(RELAY, { relayProtocol: 'udp' }), stat('srflx 198.51.100.9:7000'))] },
    'relayed', /Your router seems to give every destination a port of its own/],
  ['or theirs', { local: [...HOME, RELAY], remote: SYMMETRIC, pairs: [silent(), chosen(stat(RELAY, { relayProtocol: 'udp' }), stat(RELAY))] },
    'relayed', /Ann's router seems/],
  ['two sockets behind two ports are not symmetric', { local: ['host 10.0.0.2:1', 'host 10.9.0.2:2', 'srflx 203.0.113.5:6000 < 0.0.0.0:0', 'srflx 203.0.113.5:6001 < 0.0.0.0:0'], remote: THEIRS, pairs: [silent(), chosen(stat(RELAY, { relayProtocol: 'udp' }), stat(RELAY))] },
    'relayed', /no pair of direct/, /seems/],
  ['one hidden socket behind two ports is', { local: ['host a.local:1', 'srflx 203.0.113.5:6000 < 0.0.0.0:0', 'srflx 203.0.113.5:6001 < 0.0.0.0:0'], remote: THEIRS, pairs: [silent(), chosen(stat(RELAY, { relayProtocol: 'udp' }), stat(RELAY))] },
    'relayed', /Your router seems/],
  ['no UDP out', { local: ['host 10.0.0.2:5000', RELAY], remote: THEIRS, pairs: [silent(), chosen(stat(RELAY, { relayProtocol: 'tcp' }), stat(RELAY))] },
    'relayed', /^Relayed over TCP: no UDP got out of this network/],
  ['TCP, though UDP got out', { local: [...HOME, RELAY], remote: THEIRS, pairs: [silent(), chosen(stat(RELAY, { relayProtocol: 'tcp' }), stat(RELAY))] },
    'relayed', /^Relayed over TCP: no pair of direct addresses/, /no UDP got out/],
  ['the peer has nothing but a relay', { local: HOME, remote: [RELAY], pairs: [chosen(stat('srflx 203.0.113.5:6000'), stat(RELAY))] }, 'relayed', /because Ann offers nothing but a relay/],
  ['a relay we did not listen to', { path: 'direct', local: HOME, remote: [...THEIRS, RELAY], pairs: [chosen(stat('host 10.0.0.2:5000'), stat('prflx 192.0.2.1:50000'))] },
    'relayed', /on Ann's side: you chose direct only/],
  ['a direct pair answered as well', { local: [...HOME, RELAY], remote: THEIRS, pairs: [pair(stat('srflx 203.0.113.5:6000'), stat('srflx 198.51.100.9:7000'), { answered: 2 }), chosen(stat(RELAY), stat(RELAY))] },
    'relayed', /though 1 pair of direct addresses answered too/],
  ['nothing direct to try', { local: [RELAY], remote: THEIRS, pairs: [chosen(stat(RELAY, { relayProtocol: 'udp' }), stat(RELAY))] }, 'relayed', /there was no pair of direct addresses to try/],

  ['failed without a relay', { state: 'failed', ice: 'failed', local: SYMMETRIC, remote: SYMMETRIC, pairs: [silent(), silent()] },
    'unknown', /^Failed: none of the 2 pairs of addresses tried answered, and neither side found a relay\. Your router seems/],
  ['failed with one', { state: 'failed', ice: 'failed', local: [...HOME, RELAY], remote: THEIRS, pairs: [silent()] }, 'unknown', /the only pair of addresses tried did not answer, the relayed ones included/],
  ['failed after it worked', { state: 'failed', ice: 'failed', local: [...HOME, RELAY], remote: THEIRS, gone: [pair(stat('host 10.0.0.2:1'), stat('srflx 198.51.100.9:2'), { answered: 3 })], pairs: [silent()] }, 'unknown', /no pair of addresses answers any more/],
  ['failed, direct only', { state: 'failed', path: 'direct', ice: 'failed', local: HOME, remote: THEIRS, pairs: [silent()] }, 'unknown', /^Failed: you chose direct only/],
  ['failed, relay only and none there', { state: 'failed', path: 'relay-tcp', ice: 'failed', local: [], remote: THEIRS, pairs: [] }, 'unknown', /no relay answered over TCP/],
  ['failed, nothing came', { state: 'failed', ice: 'new', local: HOME, remote: [], pairs: [] }, 'unknown', /no address of Ann arrived/],
  ['failed at DTLS', { state: 'failed', ice: 'connected', local: HOME, remote: THEIRS, pairs: [chosen(stat('host 10.0.0.2:1'), stat('host 10.0.0.3:1'))] }, 'unknown', /DTLS/],

  ['waiting', { state: 'connecting', local: [], remote: [], pairs: [] }, 'unknown', /Waiting for the addresses of Ann/],
  ['trying', { state: 'connecting', local: HOME, remote: THEIRS, pairs: [silent()] }, 'unknown', /1 pair tried until now/],
  ['interrupted', { state: 'interrupted', local: HOME, remote: THEIRS, pairs: [] }, 'unknown', /no path to Ann now/],
  ['connected without a selected pair', { local: HOME, remote: THEIRS, pairs: [] }, 'unknown', /not known yet/],
];

for (const [what, { local, remote, pairs, path = 'any', state = 'connected', ice = 'connected', gone = [], nats }, wantPath, wanted, unwanted] of table) {
  test(what, () => {
    const got = explain({ snapshot: snap(pairs, ice, gone), path, state, name: 'Ann', localCandidates: local.map(line), remoteCandidates: remote.map(line), ...(nats && { nats: { mine: nats[0], theirs: nats[1] } }) });
    assert.equal(got.path, wantPath, got.sentence);
    assert.match(got.sentence, wanted);
    if (unwanted) assert.doesNotMatch(got.sentence, unwanted);
    if (wantPath !== 'unknown') assert.ok(got.sentence.endsWith('.'));
    if (state === 'failed') assert.ok(got.change.length > 0, 'a failure says what would change it');
  });
}

test('a relay over TCP because UDP is shut suggests to let it out', () => {
  const got = explain({
    snapshot: snap([silent(), chosen(stat(RELAY, { relayProtocol: 'tcp' }), stat(RELAY))]), path: 'any', state: 'connected', name: 'Ann',
    localCandidates: ['host 10.0.0.2:5000', RELAY].map(line), remoteCandidates: THEIRS.map(line),
  });
  assert.ok(got.change.some((c) => c.includes('UDP')));
});
