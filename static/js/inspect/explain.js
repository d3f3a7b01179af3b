// @ts-check
// Why a path is what it is, in plain words, from evidence alone. Pure: no clock, no connection. What is not evident
// is not said; what is only likely is said to "seem".
import { isLoopback, isPublic } from './address.js';
import { isNear, nat, noUdp, otherPort, sameOutside, severalPorts } from './clues.js';
import * as natReason from './natreason.js';

/** @typedef {import('./stats.js').Snapshot} Snapshot */
/** @typedef {import('./stats.js').Candidate} Candidate */
/** @typedef {import('./stats.js').Pair} Pair */
/** @typedef {import('../net/candidate.js').Description} Description */
/** @typedef {'direct'|'relayed'|'unknown'} Path */
/** @typedef {'any'|'direct'|'relay-udp'|'relay-tcp'} PathChoice */

/**
 * @typedef {object} Explanation
 * @property {Path} path
 * @property {string} sentence
 * @property {string[]} change what would change it; may be empty
 * @property {string} rule what the rule about NATs says of the two, and whether it came true; empty where it says nothing
 */
/** @typedef {Omit<Explanation, 'rule'>} Why */

/**
 * @typedef {object} Evidence
 * @property {Snapshot|null} snapshot
 * @property {PathChoice} path what the user chose
 * @property {Description[]} localCandidates gathered here, this session
 * @property {Description[]} remoteCandidates that came from the peer, this session
 * @property {string} name of the peer
 * @property {string} state of the link
 * @property {import('./natreason.js').NATs} [nats] what each side found out about its own
 */

const SILENT = 4; // checks without an answer, after which a pair that did answer counts as broken

const MAP_PORT = 'Map a port on one of the two routers, by UPnP for example.';
const OTHER_NETWORK = 'Put one of the two on another network.';
const ANY_PATH = 'Allow any path.';
const LET_UDP_OUT = 'Let UDP out of this network.';
const TURN_ON_RELAY = 'Turn on the relay of the server.';

/**
 * @param {Evidence} evidence
 * @returns {Explanation}
 */
export function explain(evidence) {
  const found = why(evidence);
  return { ...found, rule: rule(found.path, evidence) };
}

/** @param {Evidence} evidence @returns {Why} */
function why(evidence) {
  const { snapshot, state, name } = evidence;
  if (state === 'failed') return explainFailure(evidence);
  if (state === 'closed') return unknown('Closed.');
  if (state === 'new') return unknown(`Waiting for ${name} to begin.`);
  if (state === 'interrupted') return unknown(`There is no path to ${name} now; one is being looked for.`);
  if (state === 'connecting') return unknown(connecting(evidence));
  const selected = snapshot?.selected;
  if (!selected?.local || !selected.remote) return unknown('Connected; over which path is not known yet.');
  return isRelayed(selected, evidence) ? explainRelayed(selected, evidence) : explainDirect(selected, evidence);
}

/** @param {string} sentence @param {string[]} [change] @returns {Why} */
function unknown(sentence, change = []) { return { path: 'unknown', sentence, change }; }

/** @param {Evidence} evidence */
function connecting({ snapshot, name, remoteCandidates }) {
  const tried = snapshot?.pairs.filter((pair) => pair.requestsSent > 0).length ?? 0;
  if (snapshot?.selected) return `A path to ${name} is found; the encryption and the data channels are being set up.`;
  if (tried > 0) return `Looking for a path to ${name}: ${pairs(tried)} tried until now.`;
  if (remoteCandidates.length > 0) return `Looking for a path to ${name}.`;
  return `Waiting for the addresses of ${name}.`;
}

/** @param {Pair} pair @param {Evidence} evidence */
function isRelayed({ local, remote }, { remoteCandidates }) {
  if (local?.type === 'relay' || remote?.type === 'relay') return true;
  // A relayed address that we did not listen to shows as one that a check came from.
  return remote?.type === 'prflx' &&
    remoteCandidates.some((c) => c.type === 'relay' && c.address === remote.address && c.port === remote.port);
}

/** @param {Pair} pair @param {Evidence} evidence @returns {Why} */
function explainDirect({ local, remote }, evidence) {
  if (!local || !remote) return unknown('');
  const sentence = `${direct(local, remote, evidence)} (${local.type} to ${remote.type}).`;
  const tcp = local.protocol === 'tcp' ? ' It runs over TCP: no pair over UDP was chosen.' : '';
  const between = throughNATs(local, remote, evidence) ? natReason.direct(natsOf(evidence), evidence.name) : '';
  return { path: 'direct', sentence: sentence + remapped(local, remote, evidence) + between + tcp, change: [] };
}

/** @param {Path} path @param {Evidence} evidence */
function rule(path, evidence) {
  const { mine, theirs } = natsOf(evidence);
  const { local, remote } = evidence.snapshot?.selected ?? {};
  if (path === 'direct' && (!local || !remote || !throughNATs(local, remote, evidence))) return '';
  const chosen = evidence.path !== 'any' || evidence.remoteCandidates.every((c) => c.type === 'relay');
  const over = path !== 'unknown' || evidence.state === 'failed';
  return natReason.ruled(mine, theirs, over && !chosen ? path === 'direct' : null);
}

/** Over UDP and the addresses that two NATs give. @param {Candidate} local @param {Candidate} remote @param {Evidence} evidence */
function throughNATs(local, remote, { localCandidates, remoteCandidates }) {
  const outside = [local, remote].some(({ type }) => type === 'srflx' || type === 'prflx');
  return outside && local.protocol === 'udp' && !isLoopback(local.address) && !isNear(remote, remoteCandidates) && !sameOutside(localCandidates, remoteCandidates);
}

/** The rule is about two different NATs, and what a candidate disproves is not held against it. @param {Evidence} evidence */
function natsOf({ nats, snapshot, localCandidates, remoteCandidates }) {
  const { mine = null, theirs = null } = sameOutside(localCandidates, remoteCandidates) ? {} : nats ?? {};
  const wrong = { mine: !noUdp({ snapshot, localCandidates }), theirs: remoteCandidates.some((c) => c.type === 'srflx' && c.protocol === 'udp') };
  return { mine: mine?.mapping === 'udp-blocked' && wrong.mine ? null : mine, theirs: theirs?.mapping === 'udp-blocked' && wrong.theirs ? null : theirs };
}

/** @param {Candidate} local @param {Candidate} remote @param {Evidence} evidence */
function direct(local, remote, { name, localCandidates, remoteCandidates }) {
  const here = nat(local, localCandidates);
  const there = nat(remote, remoteCandidates);
  if (isLoopback(local.address) || isLoopback(remote.address)) return 'Direct, without leaving this computer';
  if (isNear(remote, remoteCandidates) && (here === 'none' || remote.type === 'host')) return 'Direct on the local network';
  if (sameOutside(localCandidates, remoteCandidates)) return 'Direct within one network: both of you have the same address to the outside';
  if (here === 'none' && there === 'none') {
    return isPublic(local.address) && isPublic(remote.address) ? 'Direct: both have addresses on the internet, with no NAT between them' : 'Direct';
  }
  if (here === 'proven' && there === 'proven') {
    return `Direct: your router and ${name}'s router let each other's packets through once both had sent one`;
  }
  if (here === 'proven' && there === 'none' && isPublic(remote.address)) {
    return `Direct: ${name} is reachable at an address of its own, and your router lets the answers through`;
  }
  if (there === 'proven' && here === 'none' && isPublic(local.address)) {
    return `Direct: you are reachable at an address of your own, and ${name}'s router lets the answers through`;
  }
  return `Direct, between the addresses that you and ${name} have to the outside`;
}

/** Where a NAT gave another port than STUN had seen, that is worth a sentence. @param {Candidate} local @param {Candidate} remote @param {Evidence} evidence */
function remapped(local, remote, { name, localCandidates, remoteCandidates }) {
  const sentences = [];
  if (otherPort(local, localCandidates)) sentences.push(' Your router gave this path another port than the STUN server had seen.');
  if (otherPort(remote, remoteCandidates)) sentences.push(` ${name}'s router gave this path another port than the STUN server had seen.`);
  return sentences.join('');
}

/** @param {Pair} pair @param {Evidence} evidence @returns {Why} */
function explainRelayed({ local, remote }, evidence) {
  const { path, name, remoteCandidates } = evidence;
  const overTcp = local?.type === 'relay' && (local.relayProtocol === 'tcp' || local.relayProtocol === 'tls');
  if (path === 'relay-udp' || path === 'relay-tcp') {
    return relayed(`Relayed because you chose relay only, over ${path === 'relay-tcp' ? 'TCP' : 'UDP'}.`, [ANY_PATH]);
  }
  if (path === 'direct') {
    return relayed(`Relayed on ${name}'s side: you chose direct only, but ${name}'s relay reached you.`, [`Let ${name} choose direct only as well.`]);
  }
  if (overTcp && noUdp(evidence)) {
    return relayed('Relayed over TCP: no UDP got out of this network; no STUN server and no relay answered over it.', [LET_UDP_OUT, OTHER_NETWORK]);
  }
  const how = overTcp ? 'Relayed over TCP' : 'Relayed';
  if (remoteCandidates.length > 0 && remoteCandidates.every((c) => c.type === 'relay')) {
    return relayed(`${how} because ${name} offers nothing but a relay.`, [`Let ${name} allow any path.`]);
  }
  const tried = triedPairs(evidence).filter((pair) => isDirect(pair, evidence));
  const answering = (evidence.snapshot?.pairs ?? []).filter((pair) => isDirect(pair, evidence) && answers(pair));
  if (answering.length > 0) {
    return relayed(`${how}, though ${pairs(answering.length)} of direct addresses answered too: the relayed one was chosen.`, []);
  }
  if (tried.some((pair) => pair.responsesReceived > 0)) {
    return relayed(`${how}: the direct addresses, which answered at first, no longer do.`, [OTHER_NETWORK]);
  }
  if (natsOf(evidence).theirs?.mapping === 'udp-blocked') {
    return relayed(`${how} because no UDP gets through to ${name}: only a relay is left, over TCP.`, [`Let UDP out of ${name}'s network.`, OTHER_NETWORK]);
  }
  const { because, more } = natReason.noDirect(natsOf(evidence), name);
  const why = tried.length > 0 ? `no pair of direct addresses answered, of ${tried.length} tried` : 'there was no pair of direct addresses to try';
  const sentence = because ? `${how} because ${because}. ${natReason.capital(why)}.` : `${how}: ${why}.${more || portPerDestination(evidence)}`;
  return relayed(sentence, [MAP_PORT, OTHER_NETWORK]);
}

/** @param {string} sentence @param {string[]} change @returns {Why} */
function relayed(sentence, change) { return { path: 'relayed', sentence, change }; }

/** @param {Evidence} evidence @returns {Why} */
function explainFailure(evidence) {
  const { snapshot, path, name, localCandidates, remoteCandidates } = evidence;
  const tried = triedPairs(evidence);
  if (snapshot?.selected && (snapshot.ice === 'connected' || snapshot.ice === 'completed')) {
    return unknown('Failed: a path was found, but the encrypted connection (DTLS) could not be set up over it.', ['Start a new session.']);
  }
  if (path === 'relay-udp' || path === 'relay-tcp') {
    const transport = path === 'relay-tcp' ? 'TCP' : 'UDP';
    if (!localCandidates.some((c) => c.type === 'relay')) {
      return unknown(`Failed: you chose relay only, over ${transport}, and no relay answered over ${transport}.`, [ANY_PATH, TURN_ON_RELAY]);
    }
    return unknown(`Failed: you chose relay only, and ${noneAnswered(tried)}.`, [ANY_PATH]);
  }
  if (remoteCandidates.length === 0) return unknown(`Failed: no address of ${name} arrived.`, [`Let ${name} reload the page.`]);
  const { because, more } = natReason.noDirect(natsOf(evidence), name);
  const nat = because ? ` ${natReason.capital(because)}.` : more || portPerDestination(evidence);
  if (path === 'direct') {
    return unknown(`Failed: you chose direct only, and ${noneAnswered(tried)}.${nat}`, [ANY_PATH, MAP_PORT, OTHER_NETWORK]);
  }
  const relays = [...localCandidates, ...remoteCandidates].some((c) => c.type === 'relay');
  if (!relays) {
    return unknown(`Failed: ${noneAnswered(tried)}, and neither side found a relay.${nat}`, [TURN_ON_RELAY, MAP_PORT, ...(noUdp(evidence) ? [LET_UDP_OUT] : [])]);
  }
  return unknown(`Failed: ${noneAnswered(tried)}, the relayed ones included.`, [OTHER_NETWORK, ...(noUdp(evidence) ? [LET_UDP_OUT] : [])]);
}

/** @param {Pair[]} tried */
function noneAnswered(tried) {
  const n = tried.length;
  if (n === 0) return 'no pair of addresses could be tried';
  if (tried.some((pair) => pair.responsesReceived > 0)) return 'no pair of addresses answers any more';
  return n === 1 ? 'the only pair of addresses tried did not answer' : `none of the ${n} pairs of addresses tried answered`;
}

/** @param {number} n */
function pairs(n) { return n === 1 ? '1 pair' : `${n} pairs`; }

/** All that were tried in this session, those that the browser has forgotten included. @param {Evidence} evidence */
function triedPairs({ snapshot }) {
  return snapshot ? [...snapshot.gone, ...snapshot.pairs].filter((pair) => pair.requestsSent > 0) : [];
}

/** @param {Pair} pair @param {Evidence} evidence */
function isDirect(pair, evidence) { return pair.local !== null && pair.remote !== null && !isRelayed(pair, evidence); }

/** @param {Pair} pair */
function answers(pair) { return pair.responsesReceived > 0 && pair.unanswered < SILENT; }

/** @param {Evidence} evidence */
function portPerDestination({ localCandidates, remoteCandidates, name }) {
  if (severalPorts(localCandidates)) {
    return ' Your router seems to give every destination a port of its own: two STUN servers saw different ones.';
  }
  if (severalPorts(remoteCandidates)) {
    return ` ${name}'s router seems to give every destination a port of its own: two STUN servers saw different ones.`;
  }
  return '';
}
