// @ts-check
// All candidates of one side: a browser's statistics forget those that take part in no check any more, or never did.
import { relayTransport } from '../net/candidate.js';

/** @typedef {import('./stats.js').Candidate} Candidate */
/** @typedef {import('../net/candidate.js').Description} Description */

/**
 * @param {Candidate[]} listed by the statistics
 * @param {Description[]} announced between the peers
 * @returns {Candidate[]} the listed ones first
 */
export function allCandidates(listed, announced) {
  const missing = announced.filter((a, i) => !listed.some((c) => same(c, a)) && announced.findIndex((b) => same(b, a)) === i);
  return [...listed, ...missing.map((a, i) => ({
    id: `announced ${i}`, type: a.type, protocol: a.protocol, address: a.address, port: a.port,
    relayProtocol: relayTransport(a.url), url: a.url, priority: a.priority, mdns: a.mdns,
  }))];
}

/**
 * Statistics hide the address of a host candidate, or show it where the candidate itself had a name in its place.
 * @param {Candidate|Description} a
 * @param {Description} b
 */
function same(a, b) {
  const hidden = a.type === 'host' && (a.address === '' || a.mdns !== b.mdns);
  return a.type === b.type && a.protocol === b.protocol && a.port === b.port && (hidden || a.address === b.address);
}
