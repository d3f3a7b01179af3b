// @ts-check
// What candidates tell about the networks they are of: clues, each as good as its comment says.
import { isPrivate } from './address.js';

/** @typedef {import('./stats.js').Candidate} Candidate */
/** @typedef {import('../net/candidate.js').Description} Description */

/**
 * What the candidate tells about a NAT on its side. A browser hides the base of a reflexive candidate; where the port is
 * the same too, there may be a NAT that keeps ports, or none.
 * @param {Candidate} candidate
 * @param {Description[]} announced of the same side
 * @returns {'none'|'maybe'|'proven'}
 */
export function nat(candidate, announced) {
  if (candidate.type === 'host' || candidate.type === 'relay') return 'none';
  const reflexive = announced.filter((c) => c.type === 'srflx' && c.address === candidate.address && c.protocol === candidate.protocol);
  // A check that overtook its candidate is peer-reflexive too, and proves nothing.
  if (candidate.type === 'prflx' && reflexive.length === 0) return 'none';
  if (otherPort(candidate, announced)) return 'proven';
  const hosts = announced.filter((c) => c.type === 'host' && c.protocol === candidate.protocol);
  const baseTold = reflexive.some((c) => c.relatedPort > 0 && isTold(c.relatedAddress) && c.relatedAddress !== c.address);
  const portKept = hosts.some((c) => c.port === candidate.port);
  return baseTold || (hosts.length > 0 && !portKept) ? 'proven' : 'maybe';
}

/** @param {string} address */
function isTold(address) { return address !== '' && address !== '0.0.0.0' && address !== '::'; }

/**
 * An address of the local network; one behind an mDNS name is, as such a name is found nowhere else.
 * @param {Candidate} candidate
 * @param {Description[]} announced
 */
export function isNear(candidate, announced) {
  if (candidate.mdns || isPrivate(candidate.address)) return true;
  return candidate.type === 'host' && candidate.address === '' &&
    announced.some((c) => c.type === 'host' && c.port === candidate.port && (c.mdns || isPrivate(c.address)));
}

/** Both sides are seen from outside at the same address. @param {Description[]} local @param {Description[]} remote */
export function sameOutside(local, remote) {
  return local.some((l) => l.type === 'srflx' && remote.some((r) => r.type === 'srflx' && r.address === l.address));
}

/** @param {Candidate} candidate @param {Description[]} announced */
export function otherPort(candidate, announced) {
  const reflexive = announced.filter((c) => c.type === 'srflx' && c.protocol === candidate.protocol && c.address === candidate.address);
  return candidate.type === 'prflx' && reflexive.length > 0 && reflexive.every((c) => c.port !== candidate.port);
}

/** Nothing came back over UDP from beyond this network. @param {{snapshot: import('./stats.js').Snapshot|null, localCandidates: Description[]}} evidence */
export function noUdp({ snapshot, localCandidates }) {
  const udpRelay = snapshot?.local.some((c) => c.type === 'relay' && c.relayProtocol === 'udp') ?? false;
  const udpReflexive = localCandidates.some((c) => c.type === 'srflx' && c.protocol === 'udp');
  return !udpRelay && !udpReflexive;
}

/**
 * Two STUN servers saw different ports of one socket (RFC 4787: address- or port-dependent mapping).
 * @param {Description[]} candidates of one side
 */
export function severalPorts(candidates) {
  const reflexive = candidates.filter((c) => c.type === 'srflx' && c.protocol === 'udp');
  const sockets = candidates.filter((c) => c.type === 'host' && c.protocol === 'udp').length;
  /** @type {Map<string, Set<number>>} socket and outside address → outside ports */
  const ports = new Map();
  for (const c of reflexive) {
    // Browsers that hide the base leave it empty or zero; with one socket there is no doubt which it was.
    const hidden = c.relatedPort === 0 || c.relatedPort === 9 || c.relatedAddress === '';
    if (hidden && sockets !== 1) continue;
    const key = `${hidden ? '' : `${c.relatedAddress}:${c.relatedPort}`} ${c.address}`;
    ports.set(key, (ports.get(key) ?? new Set()).add(c.port));
  }
  return [...ports.values()].some((seen) => seen.size > 1);
}
