// The scaffolder action `kdp:order`: writes one object into a workspace through the Kubernetes API.

/** What the Kubernetes API knows our fields by. */
export const FIELD_MANAGER = 'kdp-backstage';

const LABEL = '[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?';
const TIMEOUT_MS = 30_000;

/** Fields of an object that are not for a form to fill. */
const NOT_ORDERED = ['apiVersion', 'kind', 'metadata', 'status'];

const text = (description, pattern) => ({ type: 'string', description, ...(pattern && { pattern }) });

const INPUT = {
  type: 'object',
  required: ['clusterUrl', 'workspace', 'apiVersion', 'kind', 'plural', 'name'],
  properties: {
    clusterUrl: text('Address of the Kubernetes API; has to be the one the action is set up for'),
    workspace: text('Path of the workspace', `^${LABEL}(?::${LABEL})*$`),
    apiVersion: text('Group and version of the kind', `^(?:${LABEL}(?:\\.${LABEL})*/)?${LABEL}$`),
    kind: text('The kind', '^[A-Za-z][A-Za-z0-9]{0,62}$'),
    plural: text('Its plural name, as it is in paths', `^${LABEL}$`),
    namespace: text('Namespace of the object; none for a kind without namespaces', `^${LABEL}$`),
    name: text('Name of the object', `^${LABEL}(?:\\.${LABEL})*$`),
    fields: { type: 'object', description: 'Everything but metadata and status, such as the spec' },
    ifExists: { type: 'string', enum: ['fail', 'apply'], default: 'fail', description: 'What to do with an object of that name' },
  },
};

const OUTPUT = {
  type: 'object',
  properties: {
    name: text('Name of the object'),
    uid: text('UID of the object'),
    url: text('Address of the object'),
  },
};

/**
 * The action, for one Kubernetes API.
 *
 * @param {object} options
 * @param {string} options.clusterUrl Address of the API, without the path of a workspace.
 * @param {(ctx: object) => Promise<string | undefined> | string | undefined} [options.getToken]
 *   Finds the user's token; without it the task's secret `kubernetesToken` is taken.
 * @param {typeof fetch} [options.fetch] What sends requests.
 */
export function createOrderAction({ clusterUrl, getToken, fetch = globalThis.fetch }) {
  const base = withoutSlash(clusterUrl);
  if (!/^https?:\/\/[^/\s]/.test(base)) {
    throw new Error(`kdp:order needs the address of the Kubernetes API, not ${JSON.stringify(clusterUrl)}`);
  }
  const tokenOf = getToken ?? (ctx => ctx.secrets?.kubernetesToken);
  return {
    id: 'kdp:order',
    description: 'Orders something from the platform: writes one object into a workspace, as the user.',
    supportsDryRun: true,
    schema: { input: INPUT, output: OUTPUT },
    async handler(ctx) {
      const input = checked(ctx.input, base);
      const manifest = manifestOf(input);
      const url = urlOf(base, input);
      if (ctx.isDryRun) {
        ctx.logger?.info(`Would apply ${input.kind} ${input.name} in ${input.workspace}`);
        ctx.output('name', input.name);
        ctx.output('url', url);
        return;
      }
      const token = await tokenOf(ctx);
      if (typeof token !== 'string' || token === '') {
        throw new Error('kdp:order has no token of the user for the Kubernetes API; sign in to the platform and try again');
      }
      const api = { fetch, token, signal: ctx.signal };
      if (input.ifExists !== 'apply' && (await exists(api, url, input))) {
        throw new Error(`${nameOf(input)} exists already; choose another name`);
      }
      const object = await apply(api, url, input, manifest);
      ctx.logger?.info(`Ordered ${nameOf(input)}`);
      ctx.output('name', object.metadata?.name ?? input.name);
      ctx.output('uid', object.metadata?.uid ?? '');
      ctx.output('url', url);
    },
  };
}

/** The object as it is to be, from the input of the action. */
export function manifestOf({ apiVersion, kind, namespace, name, fields = {} }) {
  const ordered = Object.entries(fields).filter(([field]) => !NOT_ORDERED.includes(field));
  const metadata = namespace === undefined ? { name } : { name, namespace };
  return { ...Object.fromEntries(ordered), apiVersion, kind, metadata };
}

/** The input, when it is one: everything that becomes part of a path has a safe form. */
function checked(input, base) {
  for (const field of INPUT.required) {
    if (input?.[field] === undefined) throw new Error(`kdp:order needs the input ${field}`);
  }
  const kept = {};
  for (const [field, { type, pattern, enum: values }] of Object.entries(INPUT.properties)) {
    const value = input[field];
    if (value === undefined || value === null || (field === 'namespace' && value === '')) continue;
    const isOfType = type === 'object' ? typeof value === 'object' && !Array.isArray(value) : typeof value === type;
    if (!isOfType || (pattern && !new RegExp(pattern, 'u').test(value)) || (values && !values.includes(value))) {
      throw new Error(`the input ${field} of kdp:order is not valid: ${JSON.stringify(value)}`);
    }
    kept[field] = value;
  }
  if (withoutSlash(kept.clusterUrl) !== base) {
    throw new Error(`kdp:order is set up for ${base} and gives the user's token to nobody else, not to ${kept.clusterUrl}`);
  }
  return kept;
}

function urlOf(base, { workspace, apiVersion, namespace, plural, name }) {
  const root = apiVersion.includes('/') ? 'apis' : 'api';
  const scope = namespace === undefined ? '' : `/namespaces/${namespace}`;
  return `${base}/clusters/${workspace}/${root}/${apiVersion}${scope}/${plural}/${name}`;
}

async function exists(api, url, input) {
  const response = await send(api, url, { method: 'GET' });
  if (response.ok) return true;
  const reason = await reasonOf(response);
  // A kind that the workspace has not bound is not found either, but says so without a name.
  if (response.status === 404 && reason.isObject) return false;
  throw refusal(response.status, reason.message, input);
}

async function apply(api, url, input, manifest) {
  const query = new URLSearchParams({ fieldManager: FIELD_MANAGER, fieldValidation: 'Strict' });
  const response = await send(api, `${url}?${query}`, {
    method: 'PATCH',
    // JSON is YAML too.
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body: JSON.stringify(manifest),
  });
  if (!response.ok) throw refusal(response.status, (await reasonOf(response)).message, input);
  return response.json();
}

async function send({ fetch, token, signal }, url, { headers, ...request }) {
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  try {
    return await fetch(url, {
      ...request,
      headers: { accept: 'application/json', authorization: `Bearer ${token}`, ...headers },
      // The token is for this address, not for where it may point to.
      redirect: 'error',
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    });
  } catch (error) {
    const why = deadline.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : (error.cause?.message ?? error.message);
    throw new Error(`the Kubernetes API at ${new URL(url).origin} cannot be reached: ${why}`, { cause: error });
  }
}

/** What the API says of a request it has refused: a Status, or some text from on the way. */
async function reasonOf(response) {
  const body = await response.text();
  try {
    const status = JSON.parse(body);
    return { message: status.message ?? '', isObject: status.details?.name !== undefined };
  } catch {
    return { message: body.slice(0, 200).trim(), isObject: false };
  }
}

function refusal(status, message, input) {
  const hints = {
    401: 'the token is not valid any more; sign in again',
    403: `you may not order ${input.plural} in ${input.workspace}`,
    404: `the workspace ${input.workspace} or its namespace does not exist, or it has not bound the service of ${input.kind}`,
    409: 'somebody else manages a field that the order sets, or it changed meanwhile',
    422: 'the order is not valid',
  };
  const hint = hints[status] ?? `the Kubernetes API answered ${status}`;
  return new Error(`cannot order ${nameOf(input)}: ${hint}${message && `: ${message}`}`);
}

function nameOf({ kind, namespace, name, workspace }) {
  return `${kind} ${namespace === undefined ? name : `${namespace}/${name}`} in ${workspace}`;
}

function withoutSlash(url) {
  return String(url).replace(/\/+$/, '');
}
