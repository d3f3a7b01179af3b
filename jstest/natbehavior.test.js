// What a browser tells of the NAT before it, from candidates as browsers really make them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge, measureNAT } from '../static/js/net/natbehavior.js';

const servers = ['stun:192.0.2.1:3478', 'stun:192.0.2.1:3479'];

/**
 * A connection that gathers these candidates, is refused at these URLs, and if told comes to an end.
 * @param {{lines?: string[], refused?: string[], ends?: boolean}} how
 */
function gathering({ lines = [], refused = [], ends = true }) {
  const made = { closed: 0, config: null };
  made.PeerConnection = class {
    onicecandidate = null;
    onicecandidateerror = null;
    constructor(config) { made.config = config; }
    createDataChannel() { made.channel = true; }
    async createOffer() { return { type: 'offer', sdp: 'v=0' }; }
    async setLocalDescription() {
      queueMicrotask(() => { // before any timer, however busy the machine is
        for (const candidate of lines) this.onicecandidate({ candidate: { candidate } });
        for (const url of refused) this.onicecandidateerror({ url });
        if (ends) this.onicecandidate({ candidate: null });
      });
    }
    close() { made.closed++; }
  };
  return made;
}

const host = (n = 1, port = 5000) => `candidate:${n} 1 udp 2122 0b9e7a26-${n}.local ${port} typ host generation 0`;
const srflx = (address, port, { foundation = 9, raddr = '0.0.0.0', rport = 0 } = {}) =>
  `candidate:${foundation} 1 udp 1686 ${address} ${port} typ srflx raddr ${raddr} rport ${rport} generation 0`;

for (const [name, how, want] of [
  ['a cone: both servers see one place, which is told once', { lines: [host(), srflx('203.0.113.1', 5000)] }, ['not-port-dependent', 1]],
  ['told twice all the same', { lines: [host(), srflx('203.0.113.1', 5000), srflx('203.0.113.1', 5000)] }, ['not-port-dependent', 1]],
  ['symmetric', { lines: [host(), srflx('203.0.113.1', 40000), srflx('203.0.113.1', 40001)] }, ['address-and-port-dependent', 1]],
  ['symmetric, even if we ran out of patience', { lines: [host(), srflx('203.0.113.1', 40000), srflx('203.0.113.1', 40001)], ends: false }, ['address-and-port-dependent', 1]],
  ['symmetric with several addresses', { lines: [host(), srflx('203.0.113.1', 40000), srflx('203.0.113.2', 40001)] }, ['address-and-port-dependent', 2]],
  ['two interfaces, each a cone', { lines: [host(1), host(2), srflx('203.0.113.1', 5000, { foundation: 8 }), srflx('203.0.113.1', 5001, { foundation: 9 })] }, ['not-port-dependent', 1]],
  ['two sockets that show themselves', { lines: [srflx('203.0.113.1', 5000, { raddr: '192.168.1.2', rport: 1 }), srflx('203.0.113.1', 5001, { raddr: '192.168.1.2', rport: 2 })] }, ['not-port-dependent', 1]],
  ['a socket of IPv6 that reaches neither server', { lines: [host(1), host(2), srflx('203.0.113.1', 5000)], refused: [...servers] }, ['not-port-dependent', 1]],
  ['one server that does not answer', { lines: [host(), srflx('203.0.113.1', 5000)], refused: [servers[1]] }, ['unknown', 1]],
  ['one server that is still silent', { lines: [host(), srflx('203.0.113.1', 5000)], ends: false }, ['unknown', 1]],
  ['UDP blocked, and said so', { lines: [host()], refused: [...servers] }, ['udp-blocked', 0]],
  ['UDP blocked, nothing said', { lines: [host()], ends: false }, ['udp-blocked', 0]],
  ['no NAT, seen by who shows his address', { lines: ['candidate:1 1 udp 2122 203.0.113.1 5000 typ host'] }, ['none', 0]],
  ['no second candidate, but who knows', { lines: [host()] }, ['unknown', 0]],
  ['TCP candidates tell nothing', { lines: [host(), 'candidate:3 1 tcp 1518 203.0.113.1 9 typ srflx raddr 0.0.0.0 rport 0 tcptype active'], refused: [...servers] }, ['udp-blocked', 0]],
]) {
  test(`NAT: ${name}`, async () => {
    const made = gathering(how);
    const got = await measureNAT(servers, { RTCPeerConnection: made.PeerConnection, wait: 30 });
    assert.deepEqual([got.mapping, got.addresses], want);
    assert.deepEqual(Object.keys(got), ['mapping', 'addresses'], 'addresses are not told');
    assert.deepEqual(made.config, { iceServers: servers.map((urls) => ({ urls })) });
    assert.equal(made.closed, 1);
    assert.ok(made.channel, 'without a channel nothing is gathered');
  });
}

test('NAT: one port alone tells nothing of the mapping', () => {
  const seen = [{ type: 'srflx', protocol: 'udp', address: '203.0.113.1', port: 5000, relatedAddress: '', relatedPort: 0, priority: 1, mdns: false, url: '', foundation: '1' }];
  assert.equal(judge({ seen, refused: [], complete: true }, servers.slice(0, 1)).mapping, 'unknown');
});

test('NAT: a browser without WebRTC says so, and a failing one is closed', async () => {
  await assert.rejects(measureNAT(servers, { RTCPeerConnection: undefined }), /no WebRTC/);
  const made = gathering({});
  class Broken extends made.PeerConnection { async createOffer() { throw new Error('InvalidAccessError'); } }
  await assert.rejects(measureNAT(servers, { RTCPeerConnection: Broken, wait: 10 }), /InvalidAccess/);
  assert.equal(made.closed, 1);
});
