// @ts-check
// Takes the addresses out of a recorded run, so that it can be shown to others. The same address becomes the same
// placeholder everywhere: in candidates, in SDP, in URLs, in notes, in attributes. What else an SDP says, the ufrag,
// the password and the fingerprint, goes too: they outlive the session in nobody's interest.

/** @typedef {import('./recorder.js').Run} Run */

// The order matters: a UUID of mDNS has hex digits and dashes, an IPv6 address may end in an IPv4 one.
const ADDRESS = new RegExp([
  '[0-9a-f-]{36}\\.local', // mDNS, as browsers make them
  '(?<![0-9a-z:.])(?:[0-9a-f]{0,4}:){2,7}(?:\\d{1,3}(?:\\.\\d{1,3}){3}|[0-9a-f]{0,4})(?:%[0-9a-z]+)?(?![0-9a-z:])', // IPv6
  '(?<![0-9.])\\d{1,3}(?:\\.\\d{1,3}){3}(?![0-9.]*[0-9])', // IPv4
].join('|'), 'gi');
const UNSPECIFIED = new Set(['0.0.0.0', '::']);
const SECRETS = /(ufrag |a=ice-ufrag:|a=ice-pwd:|a=fingerprint:\S+ |token=|resume=|usernameFragment":")([^\s"&]+)/gi;
const SERVER = /\b((?:stuns?|turns?):)(\/\/)?([^\s?:"\]]+)/gi;

/**
 * @param {Run} run
 * @returns {Run} a copy without addresses
 */
export function redact(run) {
  /** @type {Map<string, string>} */
  const names = new Map();
  return /** @type {Run} */ (walk(run, (text) => redactText(text, names)));
}

/**
 * @param {unknown} value
 * @param {(text: string) => string} change
 * @returns {unknown}
 */
function walk(value, change) {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item) => walk(item, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, isMeta(key) ? item : walk(item, change)]));
}

/** The clock of the run is no address. @param {string} key */
function isMeta(key) { return key === 'started' || key === 'ended' || key === 'kind' || key === 'layer'; }

/**
 * @param {string} text
 * @param {Map<string, string>} names address → placeholder; grows
 */
function redactText(text, names) {
  return text
    .replace(SECRETS, '$1removed')
    .replace(ADDRESS, (address) => (isAddress(address) ? placeholder(address, names) : address))
    .replace(SERVER, (_, scheme, slashes = '', host) =>
      `${scheme}${slashes}${host.startsWith('[') || isPlaceholder(host, names) ? host : placeholder(host, names)}`);
}

/** 12:34:56 is none, and the unspecified ones say nothing about anybody. @param {string} text */
function isAddress(text) {
  if (UNSPECIFIED.has(text)) return false;
  return !text.includes(':') || text.includes('::') || text.split(':').length === 8 || text.includes('.');
}

/** @param {string} host @param {Map<string, string>} names */
function isPlaceholder(host, names) {
  for (const name of names.values()) if (name === host) return true;
  return false;
}

/**
 * Addresses of the ranges made for documents (RFC 5737, RFC 3849), so that candidates and SDP stay readable by programs.
 * @param {string} address
 * @param {Map<string, string>} names
 */
function placeholder(address, names) {
  const key = address.toLowerCase();
  const known = names.get(key);
  if (known) return known;
  const n = names.size + 1;
  let name = `address-${n}.invalid`;
  if (key.endsWith('.local')) name = `address-${n}.local`;
  else if (key.includes(':')) name = `2001:db8::${n.toString(16)}`;
  else if (/^[\d.]+$/.test(key) && n < 255) name = `192.0.2.${n}`;
  names.set(key, name);
  return name;
}
