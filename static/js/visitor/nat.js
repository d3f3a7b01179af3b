// @ts-check
// How the NAT before a visitor's browser maps, for a run.
import { measureNAT } from '../net/natbehavior.js';
import { visitor } from '../page/visitor.js';

/** @type {Record<import('../net/natbehavior.js').Mapping, string>} */
const words = {
  none: 'Your browser is seen at its own address: nothing translates between it and this server.',
  'not-port-dependent': 'Both ports of this server see your browser at the same port: what is between does not map by port, as most NATs do not.',
  'address-and-port-dependent': 'Each port of this server sees your browser at another port: the NAT between maps by destination, it is “symmetric”.',
  'udp-blocked': 'No answer came back from this server’s STUN ports: UDP does not get through between it and your browser.',
  unknown: 'Your browser learned too little to tell how the NAT before it maps.',
};

visitor(async (servers) => {
  const data = await measureNAT(servers);
  return { data, words: words[data.mapping] };
});
