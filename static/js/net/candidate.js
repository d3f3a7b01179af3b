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

/** @typedef {import('../inspect/explain.js').PathChoice} PathChoice */
/** @typedef {import('./signaling.js').ICEServer} ICEServer */

const LINE = /^(?:a=)?candidate:\S+ \d+ (\S+) (\d+) (\S+) (\d+) typ (host|srflx|prflx|relay)(.*)$/i;

/**
 * @param {string} line with or without 'a='
 * @param {string} [url]
 * @returns {Description|null} null when it is not a candidate line
 */
export function parseCandidate(line, url = '') {
  const match = LINE.exec(line.trim());
  if (!match) return null;
  const [, protocol, priority, address, port, type, rest] = match;
  return {
    type: /** @type {Description['type']} */ (type.toLowerCase()),
    protocol: protocol.toLowerCase(),
    address,
    port: Number(port),
    relatedAddress: / raddr (\S+)/i.exec(rest)?.[1] ?? '',
    relatedPort: Number(/ rport (\d+)/i.exec(rest)?.[1] ?? 0),
    priority: Number(priority),
    mdns: address.endsWith('.local'),
    url,
  };
}

/**
 * Whether a candidate may be told to the other side, or used when it comes from there.
 * @param {string} line
 * @param {PathChoice} choice
 */
export function candidateAllowed(line, choice) {
  return choice !== 'direct' || parseCandidate(line)?.type !== 'relay';
}

/**
 * Takes the candidates out of a session description that the choice does not let through.
 * @param {string} sdp
 * @param {PathChoice} choice
 */
export function filterDescription(sdp, choice) {
  if (choice !== 'direct') return sdp;
  return sdp.split('\r\n').filter((line) => candidateAllowed(line, choice)).join('\r\n');
}

/**
 * The candidates that a session description carries.
 * @param {string} sdp
 * @returns {string[]} their lines, without 'a='
 */
export function candidatesIn(sdp) {
  return sdp.split(/\r?\n/).filter((line) => line.startsWith('a=candidate:')).map((line) => line.slice(2));
}

/**
 * How a TURN URL reaches its relay (RFC 7065): 'udp' or 'tcp', '' for any other URL.
 * @param {string} url
 */
export function relayTransport(url) {
  const match = /^(turns?):[^?]*(?:\?transport=(udp|tcp))?$/i.exec(url);
  if (!match) return '';
  return match[2]?.toLowerCase() ?? (match[1].toLowerCase() === 'turns' ? 'tcp' : 'udp');
}

/**
 * The configuration of a connection that obeys a choice of path.
 * @param {ICEServer[]} servers
 * @param {PathChoice} choice
 * @returns {RTCConfiguration}
 */
export function configuration(servers, choice) {
  /** @param {string} url */
  const wanted = (url) => {
    const transport = relayTransport(url);
    switch (choice) {
      case 'direct': return transport === '';
      case 'relay-udp': return transport === 'udp';
      case 'relay-tcp': return transport === 'tcp';
      default: return true;
    }
  };
  return {
    iceServers: servers
      .map((server) => ({ ...server, urls: server.urls.filter(wanted) }))
      .filter((server) => server.urls.length > 0),
    iceTransportPolicy: choice === 'relay-udp' || choice === 'relay-tcp' ? 'relay' : 'all',
    bundlePolicy: 'max-bundle',
  };
}
