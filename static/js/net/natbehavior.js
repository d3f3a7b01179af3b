// @ts-check
// What a browser can tell of the NAT before it, for UDP: how it maps. Two ports of one STUN server are asked from the
// same socket; a NAT that uses another outside port toward each of them depends on the destination (RFC 4787 section
// 4.1). With one address it stays open whether a NAT that does not is endpoint-independent or only address-dependent,
// and how it filters a browser cannot find out at all, as it hears only those it has asked.

import { parseCandidate } from './candidate.js';

/** @typedef {'none'|'not-port-dependent'|'address-and-port-dependent'|'udp-blocked'|'unknown'} Mapping */
/** @typedef {{mapping: Mapping, addresses: number}} Measured addresses is how many outside addresses were seen; they are not told */
/** @typedef {import('./candidate.js').Description & {foundation: string}} Seen */

/**
 * @typedef {object} Evidence what gathering showed
 * @property {Seen[]} seen the candidates over UDP
 * @property {string[]} refused the STUN URL of each try that failed, once for each socket
 * @property {boolean} complete not cut off by our patience
 */

const patience = 5000;

/**
 * @param {string[]} servers STUN URLs, two ports of one address
 * @param {{RTCPeerConnection?: typeof RTCPeerConnection, wait?: number}} [options] the tests bring their own
 * @returns {Promise<Measured>}
 */
export async function measureNAT(servers, { RTCPeerConnection = globalThis.RTCPeerConnection, wait = patience } = {}) {
  if (!RTCPeerConnection) throw new Error('This browser has no WebRTC, or it is switched off.');
  return judge(await gather(servers, RTCPeerConnection, wait), servers);
}

/**
 * @param {string[]} servers @param {typeof RTCPeerConnection} PeerConnection @param {number} wait milliseconds
 * @returns {Promise<Evidence>}
 */
async function gather(servers, PeerConnection, wait) {
  const pc = new PeerConnection({ iceServers: servers.map((urls) => ({ urls })) });
  /** @type {Evidence} */
  const evidence = { seen: [], refused: [], complete: false };
  try {
    /** @type {Promise<void>} */
    const over = new Promise((resolve) => {
      setTimeout(resolve, wait);
      pc.onicecandidate = ({ candidate }) => {
        if (!candidate) {
          evidence.complete = true;
          resolve();
        }
        const seen = candidate && parse(candidate.candidate);
        if (seen?.protocol === 'udp') evidence.seen.push(seen);
      };
      pc.onicecandidateerror = (e) => { evidence.refused.push(e.url); };
    });
    pc.createDataChannel('nat');
    await pc.setLocalDescription(await pc.createOffer());
    await over;
  } finally {
    pc.close();
  }
  return evidence;
}

/** @param {string} line @returns {Seen|null} */
function parse(line) {
  const read = parseCandidate(line);
  return read && { ...read, foundation: /candidate:(\S+)/.exec(line)?.[1] ?? '' };
}

/**
 * @param {Evidence} evidence @param {string[]} servers
 * @returns {Measured}
 */
export function judge({ seen, refused, complete }, servers) {
  const outside = seen.filter((c) => c.type === 'srflx');
  const addresses = new Set(outside.map((c) => c.address)).size;
  /** @type {Map<string, Set<string>>} where each socket was seen */
  const places = new Map();
  for (const c of outside) {
    const of = places.get(socketOf(c)) ?? new Set();
    places.set(socketOf(c), of.add(`${c.address} ${c.port}`));
  }
  /** @param {Mapping} mapping */
  const is = (mapping) => ({ mapping, addresses });
  if (servers.length > 1 && [...places.values()].some((of) => of.size > 1)) return is('address-and-port-dependent');
  if (outside.length === 0) {
    if (!complete || refused.length > 0) return is('udp-blocked');
    // A browser that shows its own address leaves out a second candidate that is no different.
    return is(seen.some((c) => c.type === 'host' && !c.mdns) ? 'none' : 'unknown');
  }
  // Sockets that reach nobody, of IPv6 or of another network, fail at both servers alike. A server that more of
  // them missed did not answer, and then one place seen says nothing.
  const misses = servers.map((url) => refused.filter((r) => r === url).length);
  const heard = complete && servers.length > 1 && misses.every((n) => n === misses[0]);
  return is(heard ? 'not-port-dependent' : 'unknown');
}

/**
 * What tells sockets apart: their address, or where the browser hides it what it makes of it.
 * @param {Seen} c
 */
function socketOf(c) {
  const hidden = c.relatedPort === 0 || c.relatedAddress === '' || c.relatedAddress === '0.0.0.0' || c.relatedAddress === '::';
  return hidden ? c.foundation : `${c.relatedAddress} ${c.relatedPort}`;
}
