// Places one order with the action, for tests/it/portal/placed.rs. Reads {token, input} and prints the outputs.

import { readFileSync } from 'node:fs';

import { createOrderAction } from '../../portal/backstage-action/order.js';

const { token, input } = JSON.parse(readFileSync(0, 'utf8'));
const outputs = {};
try {
  await createOrderAction({ clusterUrl: input.clusterUrl, getToken: () => token }).handler({
    input,
    output: (name, value) => (outputs[name] = value),
  });
  console.log(JSON.stringify(outputs));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
