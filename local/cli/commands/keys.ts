// cortex keys add, list, remove: the file of API_KEYS_PATH, on this machine. The gateway is not asked; it reads the file again when
// that changes.
import { randomBytes } from 'node:crypto';
import { type ApiKey, generateApiKey, isPrincipal, type Role, roles } from '#core/http/api-keys.ts';
import { isSubjectToken } from '#core/protocol/subjects.ts';
import { type Options, usageError } from '../args.ts';
import type { Command, Context } from '../command.ts';
import { exit } from '../exit.ts';
import { addKey, readKeys, removeKey } from '../keys-file.ts';
import { type Column, table } from '../table.ts';

const fileOptions: Options = {
  file: { kind: 'text', value: 'FILE', help: 'the file of keys, in place of API_KEYS_PATH' },
  json: { kind: 'flag', help: 'print JSON' },
};

export const keysAdd: Command = {
  name: 'keys add',
  summary: 'make an API key, and print it once',
  operands: [],
  options: {
    tenant: { kind: 'text', value: 'TENANT', help: 'whose jobs it is for' },
    role: { kind: 'text', value: 'ROLE', oneOf: roles, help: `${roles.join(', ')}; submitter without it` },
    principal: { kind: 'text', value: 'NAME', help: 'who holds it; the id of the key without it' },
    ...fileOptions,
  },
  notes: [
    'The key alone goes to stdout, everything else to stderr. The file keeps its SHA-256 only: a key that is lost cannot be shown again.',
    'A viewer reads; a submitter submits, and cancels its own jobs; an operator cancels any job of the tenant; an admin acts for other tenants too.',
  ],
  examples: [['keys add --tenant acme --principal ann --file keys.yaml', 'a key for one person']],
  async run({ args, out, now, ...context }) {
    const file = fileOf('keys add', { args, ...context });
    const tenant = args.text('tenant');
    const principal = args.text('principal');
    const role = (args.text('role') ?? 'submitter') as Role;
    if (tenant === undefined) throw usageError('keys add', '--tenant is missing');
    if (!isSubjectToken(tenant)) {
      throw usageError('keys add', '--tenant: must be letters, digits, ".", "_" and "-", with no dot at an end');
    }
    if (principal !== undefined && !isPrincipal(principal)) {
      throw usageError('keys add', '--principal: must be letters, digits, ".", "_", "@", "+" and "-"');
    }
    const createdAt = new Date(now()).toISOString();
    const made = generateApiKey(randomBytes(32), { tenant, principal: principal ?? '', role, createdAt });
    const entry: ApiKey = { ...made.entry, principal: principal ?? made.entry.id };
    await addKey(file, entry);
    out.note(`${role} ${entry.principal} of ${tenant}, id ${entry.id}, added to ${file}`);
    if (args.flag('json')) out.json(JSON.stringify({ key: made.key, ...shown(entry) }));
    else out.print(made.key);
    if (!args.flag('json'))
      out.note('This is the only time the key is shown. Callers send it in the header X-API-Key.');
    return exit.ok;
  },
};

export const keysList: Command = {
  name: 'keys list',
  summary: 'list the API keys of the file',
  operands: [],
  options: fileOptions,
  async run({ args, out, ...context }) {
    const keys = readKeys(fileOf('keys list', { args, ...context }));
    const columns: readonly Column<ApiKey>[] = [
      { title: 'ID', value: ({ id }) => id },
      { title: 'TENANT', value: ({ tenant }) => tenant, least: 10 },
      { title: 'PRINCIPAL', value: ({ principal }) => principal, least: 10 },
      { title: 'ROLE', value: ({ role }) => role },
      { title: 'CREATED', value: ({ created_at: created }) => created?.slice(0, 10) ?? '', spare: 1 },
    ];
    if (args.flag('json')) out.json(JSON.stringify(keys.map(shown)));
    else if (keys.length === 0) out.note('no keys');
    else out.print(...table(columns, keys, out.width, (title) => out.paint('bold', title)));
    return exit.ok;
  },
};

export const keysRemove: Command = {
  name: 'keys remove',
  summary: 'take an API key out of the file',
  operands: ['ID'],
  options: fileOptions,
  async run({ args, out, ...context }) {
    const file = fileOf('keys remove', { args, ...context });
    const removed = await removeKey(file, args.operand(0) ?? '');
    if (args.flag('json')) out.json(JSON.stringify(shown(removed)));
    else out.print(`removed ${removed.id}: ${removed.role} ${removed.principal} of ${removed.tenant}`);
    return exit.ok;
  },
};

function fileOf(command: string, { args, env, sources }: Pick<Context, 'args' | 'env' | 'sources'>): string {
  const given = args.text('file') ?? (env['API_KEYS_PATH'] || undefined);
  if (given === undefined) throw usageError(command, 'which file? Name it with --file or API_KEYS_PATH');
  return sources.path(given);
}

/** The digest says nothing to a person. */
function shown({ sha256: _digest, ...key }: ApiKey): Omit<ApiKey, 'sha256'> {
  return key;
}
