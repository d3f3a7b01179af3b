// @ts-check
// Where an incoming file goes: a file the user picks, the browser's private disk, or memory.

/**
 * @typedef {object} Sink
 * @property {'disk'|'browser'|'memory'} kind
 * @property {string} where in words
 * @property {number} offset bytes written where they outlive a lost connection
 * @property {(bytes: Uint8Array) => Promise<void>} write
 * @property {() => Promise<Blob|null>} close done; the Blob to save, null when it already is where the user wants it
 * @property {() => Promise<void>} abort throw it away
 */

/**
 * @typedef {object} SinkLimits
 * @property {'disk'|'browser'|'memory'} kind the best this browser can do
 * @property {number} max bytes; Infinity when the disk is the limit
 * @property {string} text the same in words
 */

/** Needs a user's click where it shows the picker. Rejects with a SinkError that says why. @param {string} name @param {number} size @returns {Promise<Sink>} */
export async function openSink(name, size) { void name; void size; throw new Error('not yet'); }

/** @returns {SinkLimits} */
export function sinkLimits() { return { kind: 'memory', max: 0, text: '' }; }
