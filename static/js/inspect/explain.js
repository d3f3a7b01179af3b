// @ts-check
// Why a path is what it is, in plain words, from evidence alone. Pure: no clock, no connection.

/** @typedef {import('./stats.js').Snapshot} Snapshot */
/** @typedef {'direct'|'relayed'|'unknown'} Path */
/** @typedef {'any'|'direct'|'relay-udp'|'relay-tcp'} PathChoice */

/**
 * @typedef {object} Explanation
 * @property {Path} path
 * @property {string} sentence
 * @property {string[]} change what would change it; may be empty
 */

/**
 * @typedef {object} Evidence
 * @property {Snapshot|null} snapshot
 * @property {PathChoice} path what the user chose
 * @property {import('../net/candidate.js').Description[]} localCandidates gathered here, this session
 * @property {import('../net/candidate.js').Description[]} remoteCandidates that came from the peer, this session
 * @property {string} name of the peer
 * @property {string} state of the link
 */

/**
 * @param {Evidence} evidence
 * @returns {Explanation}
 */
export function explain(evidence) {
  void evidence;
  return { path: 'unknown', sentence: '', change: [] };
}
