// Checks what tests/it/portal.rs has written, with Backstage's own validators and with ajv.
//
//   node validate.mjs <folder with what was written> <node_modules>
//
// Prints what is wrong, one a line, and fails then; else prints how much was checked, as JSON.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { createOrderAction } from '../../portal/backstage-action/order.js';

const [folder, modules] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(modules), '..', 'package.json'));
const model = require('@backstage/catalog-model');
const { templateEntityV1beta3Validator } = require('@backstage/plugin-scaffolder-common');
const { default: Ajv } = require('ajv');
const { default: addFormats } = require('ajv-formats');
const YAML = require('yaml');

const here = path.dirname(fileURLToPath(import.meta.url));
const faults = [];
const checked = { entities: 0, references: 0, forms: 0, instances: 0, orders: 0, port: 0 };

async function check(what, verdict) {
  try {
    await verdict();
  } catch (error) {
    faults.push(`${what}: ${error.message.split('\n').slice(0, 12).join(' ')}`);
  }
}

const json = file => JSON.parse(readFileSync(path.join(folder, file), 'utf8'));

function documents(file) {
  const parsed = YAML.parseAllDocuments(readFileSync(path.join(folder, file), 'utf8'));
  return parsed.flatMap(document => {
    for (const fault of [...document.errors, ...document.warnings]) faults.push(`${file}: ${fault.message}`);
    const value = document.toJS({ maxAliasCount: 0 });
    return value === null ? [] : [value];
  });
}

function strictAjv() {
  const ajv = new Ajv({ strict: true, strictTypes: true, strictTuples: true, strictRequired: true, allErrors: true });
  ajv.addVocabulary(['ui:autofocus', 'ui:backstage', 'ui:order', 'ui:widget']);
  return addFormats(ajv);
}

function validate(schema, value) {
  const compiled = typeof schema === 'function' ? schema : strictAjv().compile(schema);
  assert.ok(compiled(value), JSON.stringify(compiled.errors));
}

/** Backstage puts a file in the place of an object with one key that starts with `$`. */
function* placeholders(value, at = '') {
  if (typeof value !== 'object' || value === null) return;
  const keys = Object.keys(value);
  if (keys.length === 1 && keys[0].startsWith('$') && typeof value[keys[0]] === 'string') yield at;
  for (const key of keys) yield* placeholders(value[key], `${at}.${key}`);
}

// Entities

const policy = model.EntityPolicies.allOf([
  new model.SchemaValidEntityPolicy(),
  new model.DefaultNamespaceEntityPolicy(),
  new model.NoForeignRootFieldsEntityPolicy(),
  new model.FieldFormatEntityPolicy(),
]);
const kinds = {
  API: model.apiEntityV1alpha1Validator,
  Component: model.componentEntityV1alpha1Validator,
  Domain: model.domainEntityV1alpha1Validator,
  Group: model.groupEntityV1alpha1Validator,
  Location: model.locationEntityV1alpha1Validator,
  Resource: model.resourceEntityV1alpha1Validator,
  System: model.systemEntityV1alpha1Validator,
  Template: templateEntityV1beta3Validator,
};

const catalog = documents('catalog-info.yaml');
const templates = readdirSync(path.join(folder, 'templates')).sort().flatMap(file => documents(`templates/${file}`));
await check('the YAML of the catalog', () => assert.deepEqual(catalog, json('entities.json')));
await check('the YAML of the templates', () => assert.deepEqual(templates, json('templates.json')));

const entities = [...catalog, ...templates];
const known = new Set();
for (const entity of entities) {
  const ref = model.stringifyEntityRef(entity);
  await check(ref, async () => {
    assert.ok(!known.has(ref), 'there are two of that name');
    known.add(ref);
    const kind = kinds[entity.kind];
    assert.ok(kind, `nobody knows the kind ${entity.kind}`);
    // Policies complete what they are given, so they get a copy.
    const enforced = await policy.enforce(structuredClone(entity));
    assert.ok(enforced, 'a policy wants nothing of it');
    assert.equal(await kind.check(enforced), true, 'its apiVersion or kind is not the validator’s');
    for (const annotation of [model.ANNOTATION_LOCATION, model.ANNOTATION_ORIGIN_LOCATION]) {
      model.parseLocationRef(entity.metadata.annotations[annotation]);
    }
    assert.deepEqual([...placeholders(entity)], []);
    checked.entities += 1;
  });
}

for (const entity of entities) {
  const { owner, system, domain, parent, dependsOn = [], providesApis = [], targets = [] } = entity.spec;
  for (const ref of [owner, system, domain, parent, ...dependsOn, ...providesApis].filter(Boolean)) {
    await check(`${entity.kind} ${entity.metadata.name} refers to ${ref}`, () => {
      assert.ok(known.has(model.stringifyEntityRef(model.parseEntityRef(ref))), 'which is not there');
      checked.references += 1;
    });
  }
  for (const target of targets) {
    await check(`the target ${target}`, () => assert.ok(existsSync(path.join(folder, target)), 'is not there'));
  }
  if (entity.kind === 'API') {
    await check(`the definition of ${entity.metadata.name}`, () => assert.equal(JSON.parse(entity.spec.definition).openapi, '3.0.3'));
  }
}

// Forms, by themselves and with what somebody would fill in

const samples = json('samples.json');
for (const template of templates) {
  const { name } = template.metadata;
  const pages = template.spec.parameters;
  for (const [index, page] of pages.entries()) {
    await check(`page ${index} of ${name}`, () => void strictAjv().compile(page));
    checked.forms += 1;
  }
  const { valid = [], invalid = [] } = samples[name] ?? {};
  const passes = values => pages.every(page => strictAjv().compile(page)(values));
  for (const values of valid) {
    await check(`a valid order of ${name}`, () => pages.forEach(page => validate(page, values)));
    await check(`the order of ${name}`, () => ordered(template, values));
    checked.instances += 1;
  }
  for (const values of invalid) {
    await check(`an invalid order of ${name}`, () => assert.ok(!passes(values), JSON.stringify(values)));
    checked.instances += 1;
  }
}

for (const { schema, form } of json('forms.json')) {
  await check(`the form of ${JSON.stringify(schema)}`, () => void strictAjv().compile(form));
  checked.forms += 1;
}

/** Fills the step of a template as the scaffolder does, and lets our action place the order. */
async function ordered(template, parameters) {
  const [{ action: id, input }] = template.spec.steps;
  const filled = Object.fromEntries(
    Object.entries(input).map(([field, value]) => {
      const parameter = /^\$\{\{ parameters\.(\w+) \}\}$/.exec(value)?.[1];
      return [field, parameter === undefined ? value : parameters[parameter]];
    }),
  );
  const sent = [];
  const action = createOrderAction({
    clusterUrl: input.clusterUrl,
    fetch: async (url, request) => {
      sent.push(JSON.parse(request.body ?? 'null'));
      const missing = { message: 'not found', details: { name: parameters.name } };
      return request.method === 'GET' ? new Response(JSON.stringify(missing), { status: 404 }) : new Response('{}');
    },
  });
  assert.equal(action.id, id);
  await action.handler({ input: filled, secrets: { kubernetesToken: 'x' }, output() {} });
  const { apiVersion, kind, metadata, ...fields } = sent[1];
  assert.deepEqual([apiVersion, kind, metadata.name], [input.apiVersion, input.kind, parameters.name]);
  assert.equal(metadata.namespace, parameters.namespace);
  assert.deepEqual(fields, parameters.fields ?? {});
  checked.orders += 1;
}

// Port

const port = json('port.json');
const schema = JSON.parse(readFileSync(path.join(here, 'port.schema.json'), 'utf8'));
const ajv = strictAjv();
ajv.addSchema(schema);
for (const [kind, definition] of [['blueprints', 'blueprint'], ['entities', 'entity'], ['actions', 'action']]) {
  const validator = ajv.getSchema(`${schema.$id}#/definitions/${definition}`);
  for (const thing of port[kind]) {
    await check(`Port's ${definition} ${thing.identifier}`, () => validate(validator, thing));
    checked.port += 1;
  }
}
const blueprints = new Map(port.blueprints.map(blueprint => [blueprint.identifier, blueprint]));
for (const { identifier, blueprint, properties } of port.entities) {
  const { schema } = blueprints.get(blueprint);
  await check(`the properties of Port's entity ${identifier}`, () => {
    const compiled = strictAjvForPort().compile({ type: 'object', additionalProperties: false, ...schema });
    validate(compiled, properties);
  });
}
for (const { identifier, trigger } of port.actions) {
  const { properties, required, order } = trigger.userInputs;
  await check(`the inputs of Port's action ${identifier}`, () => {
    void strictAjvForPort().compile({ type: 'object', properties, required });
    assert.deepEqual([...order].sort(), Object.keys(properties).sort());
  });
}

/** Port's words that are not JSON Schema's. */
function strictAjvForPort() {
  const ajv = strictAjv();
  ajv.addVocabulary(['blueprint', 'encryption', 'enumColors']);
  for (const format of ['entity', 'markdown', 'url']) ajv.addFormat(format, true);
  return ajv;
}

if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exit(1);
}
console.log(JSON.stringify(checked));
