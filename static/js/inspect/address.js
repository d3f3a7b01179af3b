// @ts-check
// What an address tells about where it is. Only what the address itself says: nothing is resolved or asked.

/** An address of a local network: RFC 1918, RFC 3927, RFC 4193, link-local. @param {string} address */
export function isPrivate(address) {
  const v4 = octets(address);
  if (v4) {
    const [a, b] = v4;
    return a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 169 && b === 254);
  }
  return /^(f[cd][0-9a-f]{2}|fe[89ab][0-9a-f]):/i.test(address);
}

/** @param {string} address */
export function isLoopback(address) { return octets(address)?.[0] === 127 || address === '::1'; }

/** Shared address space of a provider's NAT, RFC 6598. @param {string} address */
function isShared(address) {
  const v4 = octets(address);
  return v4 !== null && v4[0] === 100 && v4[1] >= 64 && v4[1] < 128;
}

/** Reachable on the internet, as far as the address tells. @param {string} address */
export function isPublic(address) {
  if (address === '' || address.endsWith('.local')) return false;
  const known = octets(address) !== null || address.includes(':');
  return known && !isPrivate(address) && !isLoopback(address) && !isShared(address) && address !== '0.0.0.0' && address !== '::';
}

/** @param {string} address @returns {number[]|null} */
function octets(address) {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address);
  return match && match.slice(1).map(Number);
}
