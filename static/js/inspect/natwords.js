// @ts-check
// NATs in words: for a badge, for a table, and as a part of a sentence about two of them.
import { isKnown, strays } from './predict.js';

/** @typedef {import('../net/messages.js').NAT} NAT */
/** @typedef {import('./predict.js').Prediction} Prediction */

/** @type {Record<string, string>} */
const cones = {
  'endpoint-independent': 'full cone', 'address-dependent': 'address-restricted cone', 'address-and-port-dependent': 'port-restricted cone',
};

/** A few words for a badge, '' if nothing is known. @param {NAT|null|undefined} nat */
export function badge(nat) {
  if (!isKnown(nat)) return '';
  if (nat.mapping === 'udp-blocked') return 'UDP blocked';
  if (nat.mapping === 'none') return isWall(nat) ? 'no NAT, firewall' : 'no NAT';
  return `${kind(nat)} NAT`;
}

/** @param {NAT} nat with a mapping that translates */
function kind({ mapping, filtering = '' }) {
  switch (mapping) {
    case 'endpoint-independent': return cones[filtering] ?? 'cone';
    case 'not-port-dependent': return 'cone-like';
    case 'address-dependent': return 'by-address symmetric';
  }
  return 'symmetric';
}

/** @param {NAT} nat */
function isWall({ filtering = '' }) { return filtering === 'address-dependent' || filtering === 'address-and-port-dependent'; }

/** @type {Record<string, string>} */
const mappings = {
  none: 'Seen at its own address: nothing translates.',
  'endpoint-independent': 'Has one outside port toward everybody.',
  'not-port-dependent': 'Two ports of the server see one outside port, as with a cone. Another address was not asked.',
  'address-dependent': 'Has another outside port for each address it sends to.',
  'address-and-port-dependent': 'Has another outside port for each port it sends to, so the one that STUN saw is of no use to others.',
  'udp-blocked': 'No answer came over UDP from the STUN server.',
  unknown: 'Too little was learned to tell.',
};

/** @type {Record<string, string>} */
const filters = {
  'endpoint-independent': 'Anybody is let in.',
  'address-dependent': 'Only addresses that were sent to are let in.',
  'address-and-port-dependent': 'Only the very ports that were sent to are let in.',
  'not-port-dependent': 'Any port of an address that was sent to is let in, at least.',
};

/** What was found, in a few sentences. @param {NAT|null|undefined} nat @param {'browser'|'go'} by who measured */
export function inFull(nat, by) {
  if (!nat) return '';
  const mapping = mappings[nat.mapping] ?? '';
  if (!isKnown(nat) || nat.mapping === 'udp-blocked') return mapping;
  const unseen = by === 'go' ? 'What is let in is not known.'
    : nat.mapping === 'not-port-dependent' ? 'What is let in a browser cannot find out, nor, where it hides its own address, whether there is a NAT at all.'
    : 'What is let in a browser cannot find out.';
  return `${mapping} ${filters[nat.filtering ?? ''] ?? unseen}`;
}

/** "your NAT and Ann's are both symmetric". @param {NAT} mine @param {NAT} theirs @param {string} name */
export function bothNATs(mine, theirs, name) {
  if (badge(mine) === badge(theirs)) {
    if (mine.mapping === 'none') return `neither you nor ${name} is behind a NAT`;
    const plural = kind(mine).endsWith('cone') ? `${kind(mine)}s` : kind(mine);
    return `your NAT and ${name}'s are both ${plural}`;
  }
  const left = mine.mapping === 'none' ? `you have ${badge(mine).replace(',', ' but a')}` : `your NAT is ${adjective(mine)}`;
  if (theirs.mapping === 'none') return `${left} and ${name} has ${badge(theirs).replace(',', ' but a')}`;
  return `${left} and ${name}'s ${mine.mapping === 'none' ? 'NAT ' : ''}is ${adjective(theirs)}`;
}

/** @param {NAT} nat */
function adjective(nat) {
  const word = kind(nat);
  return word.endsWith('cone') ? `a${/^[aeiou]/.test(word) ? 'n' : ''} ${word}` : word;
}

/**
 * What a direct path would need that these two may not give.
 * @param {Prediction} prediction @param {NAT} mine @param {NAT} theirs @param {string} name
 */
export function needs({ needs: reason }, mine, theirs, name) {
  if (reason === 'refused' && strays(mine) !== strays(theirs)) {
    const [stray, keeper] = strays(mine) ? ['yours', `${name}'s`] : [`${name}'s`, 'yours'];
    return `a direct path needs ${stray} to keep the port that STUN saw, or ${keeper} to let in ports that it was not told of`;
  }
  return 'a direct path needs one of the two to keep the port that STUN saw, and to let in ports that it was not told of';
}
