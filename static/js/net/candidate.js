// @ts-check
// The candidate lines of SDP (RFC 8839 section 5.1): reading them, and which of them a choice of path lets through.

/**
 * @typedef {object} Description what a candidate line says
 * @property {import('../inspect/stats.js').CandidateType} type
 * @property {string} protocol 'udp' or 'tcp'
 * @property {string} address
 * @property {number} port
 * @property {string} relatedAddress the base, '' when not told
 * @property {number} relatedPort
 * @property {number} priority
 * @property {boolean} mdns
 * @property {string} url server it was learnt from (local ones, where the browser tells), or ''
 */
export {};
