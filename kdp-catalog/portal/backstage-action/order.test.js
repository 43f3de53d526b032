import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createOrderAction, manifestOf } from './order.js';

const BASE = 'https://kdp.example.com';
const INPUT = {
  clusterUrl: BASE,
  workspace: 'root:acme',
  apiVersion: 'db.example.com/v1',
  kind: 'Postgres',
  plural: 'postgreses',
  namespace: 'default',
  name: 'orders',
  fields: { spec: { size: 3 } },
};
const URL_OF_ORDER = `${BASE}/clusters/root:acme/apis/db.example.com/v1/namespaces/default/postgreses/orders`;

const json = (status, body) => new Response(JSON.stringify(body), { status });
const NOT_THERE = () => json(404, { message: 'postgreses "orders" not found', details: { name: 'orders' } });

/** Runs the action against scripted answers; returns what was asked, and what came out. */
async function run(input, answers, { options = {}, context = {} } = {}) {
  const asked = [];
  const output = {};
  const fetch = async (url, request) => {
    asked.push({ url, ...request });
    const answer = answers.shift();
    assert.ok(answer, `nothing is expected to be asked of ${url}`);
    return typeof answer === 'function' ? answer() : answer;
  };
  const action = createOrderAction({ clusterUrl: BASE, fetch, ...options });
  await action.handler({
    input: { ...INPUT, ...input },
    secrets: { kubernetesToken: 'alice' },
    output: (key, value) => (output[key] = value),
    ...context,
  });
  return { asked, output };
}

test('an order is applied as the user, and only when it is not there', async () => {
  const created = json(201, { metadata: { name: 'orders', uid: 'u1' } });
  const { asked, output } = await run({}, [NOT_THERE, created]);
  assert.deepEqual(asked.map(({ method }) => method), ['GET', 'PATCH']);
  assert.equal(asked[0].url, URL_OF_ORDER);
  assert.equal(asked[1].url, `${URL_OF_ORDER}?fieldManager=kdp-backstage&fieldValidation=Strict`);
  assert.equal(asked[1].headers['content-type'], 'application/apply-patch+yaml');
  assert.equal(asked[1].headers.authorization, 'Bearer alice');
  assert.equal(asked[1].redirect, 'error');
  assert.deepEqual(JSON.parse(asked[1].body), {
    apiVersion: 'db.example.com/v1',
    kind: 'Postgres',
    metadata: { name: 'orders', namespace: 'default' },
    spec: { size: 3 },
  });
  assert.deepEqual(output, { name: 'orders', uid: 'u1', url: URL_OF_ORDER });
});

test('an order that is there is left alone', async () => {
  await assert.rejects(run({}, [json(200, {})]), /Postgres default\/orders in root:acme exists already; choose another name/);
});

test('an order that is there is changed when that is asked for', async () => {
  const { asked } = await run({ ifExists: 'apply' }, [json(200, {})]);
  assert.deepEqual(asked.map(({ method }) => method), ['PATCH']);
  assert.ok(!asked[0].url.includes('force'));
});

test('a kind without group or namespace has its own path', async () => {
  const input = { apiVersion: 'v1', kind: 'Thing', plural: 'things', namespace: undefined, fields: undefined };
  const { asked } = await run(input, [NOT_THERE, json(201, {})]);
  assert.equal(asked[0].url, `${BASE}/clusters/root:acme/api/v1/things/orders`);
  assert.deepEqual(JSON.parse(asked[1].body), { apiVersion: 'v1', kind: 'Thing', metadata: { name: 'orders' } });
});

test('a form cannot fill metadata or status', () => {
  const fields = { metadata: { finalizers: ['x'] }, status: {}, kind: 'Secret', apiVersion: 'v1', spec: {} };
  assert.deepEqual(manifestOf({ ...INPUT, fields }), {
    apiVersion: 'db.example.com/v1',
    kind: 'Postgres',
    metadata: { name: 'orders', namespace: 'default' },
    spec: {},
  });
});

test('what the API refuses is said in the words of who ordered', async () => {
  const refused = (status, message) => run({}, [NOT_THERE, json(status, { message })]);
  await assert.rejects(refused(401, 'Unauthorized'), /sign in again: Unauthorized/);
  await assert.rejects(refused(403, 'no'), /you may not order postgreses in root:acme: no/);
  await assert.rejects(refused(409, 'conflict with "kubectl"'), /somebody else manages a field .*: conflict with "kubectl"/);
  await assert.rejects(refused(422, 'spec.size: Invalid'), /the order is not valid: spec\.size: Invalid/);
  await assert.rejects(refused(503, ''), /the Kubernetes API answered 503$/);
  await assert.rejects(run({}, [NOT_THERE, new Response('<html>bad gateway</html>', { status: 502 })]), /answered 502: <html>/);
});

test('a kind that is not bound is not taken for an order that is not there', async () => {
  const unbound = json(404, { message: 'the server could not find the requested resource' });
  await assert.rejects(run({}, [unbound]), /it has not bound the service of Postgres/);
});

test('an API that cannot be reached is named, and the token is not', async () => {
  const fetch = async () => {
    throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') });
  };
  const error = await run({}, [], { options: { fetch } }).catch(error => error);
  assert.equal(error.message, `the Kubernetes API at ${BASE} cannot be reached: connect ECONNREFUSED`);
});

test('the token goes nowhere but to the address the action is set up for', async () => {
  await assert.rejects(run({ clusterUrl: 'https://evil.example' }, []), /gives the user's token to nobody else/);
  const { asked } = await run({ clusterUrl: `${BASE}/` }, [NOT_THERE, json(201, {})]);
  assert.equal(asked.length, 2);
});

test('inputs that would leave their place in the path are refused', async () => {
  const bad = {
    workspace: ['root:../x', 'root/acme', '', 'Root'],
    apiVersion: ['v1/../../x', 'a/b/c', ''],
    plural: ['../secrets', 'a?b'],
    namespace: ['../kube-system', 'a/b', 7],
    name: ['..', 'a/b', 'A', `${'a'.repeat(64)}`],
    kind: ['Post gres', ''],
    fields: [[], 'x'],
    ifExists: ['force'],
  };
  for (const [field, values] of Object.entries(bad)) {
    for (const value of values) {
      await assert.rejects(run({ [field]: value }, []), new RegExp(`the input ${field} of kdp:order is not valid`));
    }
  }
  await assert.rejects(run({ name: undefined }, []), /needs the input name/);
});

test('without a token nothing is asked', async () => {
  await assert.rejects(run({}, [], { context: { secrets: {} } }), /has no token of the user/);
});

test('the token may come from elsewhere', async () => {
  const options = { getToken: async ctx => `${ctx.user.ref}-token` };
  const { asked } = await run({}, [NOT_THERE, json(201, {})], { options, context: { user: { ref: 'bob' } } });
  assert.equal(asked[0].headers.authorization, 'Bearer bob-token');
});

test('a dry run asks nothing', async () => {
  const { asked, output } = await run({}, [], { context: { isDryRun: true, secrets: {} } });
  assert.deepEqual([asked, output], [[], { name: 'orders', url: URL_OF_ORDER }]);
});

test('an action without an address is not made', () => {
  assert.throws(() => createOrderAction({ clusterUrl: 'kdp' }), /needs the address of the Kubernetes API, not "kdp"/);
});
