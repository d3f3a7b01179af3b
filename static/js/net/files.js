// @ts-check
// Files over the data channel 'files', as peer/PROTOCOL.md tells it.

/** @typedef {'queued'|'offered'|'waiting'|'active'|'paused'|'interrupted'|'verifying'|'done'|'failed'|'cancelled'|'declined'} TransferState */

/**
 * @typedef {object} Transfer
 * @property {string} id
 * @property {'out'|'in'} dir
 * @property {string} name
 * @property {number} size bytes
 * @property {string} mime
 * @property {TransferState} state 'waiting': an incoming offer nobody has answered yet
 * @property {number} offset bytes sent, or received
 * @property {number} acked bytes known to be written at the receiver
 * @property {number} rate bytes a second, smoothed
 * @property {number|null} eta seconds
 * @property {string} sha256 '' until known
 * @property {string} error '' or what went wrong
 * @property {'me'|'them'|null} pausedBy
 * @property {string} where how it is kept, in words
 * @property {string} url blob: URL to save it from, or ''
 * @property {() => void} pause
 * @property {() => void} resume
 * @property {() => void} cancel
 * @property {(sink: import('./sinks.js').Sink) => void} accept
 * @property {() => void} decline
 */

/** Fires 'change' (at most ten times a second) and 'offer' (detail: Transfer). */
export class Files extends EventTarget {
  /** @type {Transfer[]} */
  transfers = [];
  /** @param {Iterable<File>} files @returns {Transfer[]} */
  offer(files) { void files; return []; }
}
