// POST /api/v1/repo-review: fields and defaults, in packet and payload, and what it refuses.
import { describe, expect, test } from 'vitest';
import { JobPriority } from '#proto/cortex/agent/v1/job_pb.ts';
import { json, storedPacket, storedPayload } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

const includes = [
  ...[
    'go',
    'ts',
    'tsx',
    'js',
    'jsx',
    'py',
    'rs',
    'java',
    'cs',
    'rb',
    'php',
    'c',
    'h',
    'cpp',
    'cxx',
    'hpp',
    'hxx',
    'sh',
  ],
  ...['bash', 'zsh', 'ps1', 'json', 'yaml', 'yml', 'toml', 'ini', 'cfg', 'conf', 'md', 'txt', 'sql'],
].map((extension) => `**/*.${extension}`);
const excludes = ['vendor', 'node_modules', 'dist', '.git', 'build', 'bin', 'obj', 'target', '.venv', 'venv'];

export function testRepoReview(make: MakeGateway): void {
  describe('POST /api/v1/repo-review', () => {
    const gateway = gatewayFor(make);
    const post = (body: unknown): Promise<Response> =>
      gateway().request('/api/v1/repo-review', { method: 'POST', body: JSON.stringify(body) });
    const review = async (body: unknown) => {
      const response = await post(body);
      expect(response.status).toBe(202);
      const id = String((await json(response))['job_id']);
      return { id, ...(await storedPacket(gateway(), id)), payload: await storedPayload(gateway(), id) };
    };

    test('a path is enough', async () => {
      const { id, packet, request, payload } = await review({ local_path: '/src' });
      expect(packet.senderId).toBe('api-gateway-repo-review');
      expect(request).toMatchObject({
        ...{ topic: 'job.workflow.repo.code_review', priority: JobPriority.INTERACTIVE, tenantId: 'default' },
        ...{ memoryId: `repo:${id}`, contextPtr: `redis://ctx:${id}` },
      });
      expect(request.env).toEqual({
        ...{ tenant_id: 'default', memory_id: `repo:${id}`, context_mode: 'rag' },
        ...{ max_input_tokens: '12000', max_output_tokens: '2048' },
      });
      const { created_at, ...rest } = payload;
      expect(created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      expect(rest).toEqual({
        ...{ repo_url: '', local_path: '/src', branch: '', tenant_id: 'default' },
        include_globs: includes,
        exclude_globs: excludes.map((folder) => `${folder}/**`),
        ...{ max_files: 0, batch_size: 0, max_batches: 0, run_tests: false, test_command: 'go test ./...' },
      });
    });

    test('every field arrives', async () => {
      const fields = {
        ...{ repo_url: 'https://example.com/a.git', local_path: '', branch: 'dev', include_globs: ['**/*.ts'] },
        ...{
          exclude_globs: ['x/**'],
          max_files: 3,
          batch_size: 2,
          max_batches: 1,
          run_tests: true,
          test_command: 'make',
        },
      };
      const { request, payload } = await review({ ...fields, priority: 'critical', memory_id: 'm' });
      expect(payload).toMatchObject(fields);
      expect(payload).not.toHaveProperty('priority');
      expect(payload).not.toHaveProperty('memory_id');
      expect(request).toMatchObject({ priority: JobPriority.CRITICAL, memoryId: 'm' });
    });

    test.each([
      [{ repo_url: 'https://example.com/a.git' }, 'repo:https://example.com/a.git'],
      [{ repo_url: 'https://example.com/a.git', branch: 'dev' }, 'repo:https://example.com/a.git#dev'],
      [{ repo_url: ' ssh://git@example.com/a.git ' }, 'repo:ssh://git@example.com/a.git'],
      [{ repo_url: 'file:///srv/a.git', branch: ' dev' }, 'repo:file:///srv/a.git#dev'],
      [{ repo_url: 'git@example.com:team/a.git' }, 'repo:git@example.com:team/a.git'],
    ])('the memory of %j is %s', async (body, memory) => {
      const { request } = await review(body);
      expect(request.env['memory_id']).toBe(memory);
    });

    test.each([
      [{}, 'repo_url', 'repo_url or local_path required'],
      [{ repo_url: 5 }, 'repo_url', 'must be text'],
      [{ repo_url: '--upload-pack=x' }, 'repo_url', 'must not begin'],
      [{ repo_url: ' --upload-pack=x' }, 'repo_url', 'must not begin'],
      [{ repo_url: 'ext::sh -c id' }, 'repo_url', 'must be an address'],
      [{ repo_url: 'ext::https://example.com' }, 'repo_url', 'must be an address'],
      [{ repo_url: 'a@ext::sh' }, 'repo_url', 'must be an address'],
      [{ repo_url: 'file://host/etc' }, 'repo_url', 'must be an address'],
      [{ repo_url: 'http://example.com/a' }, 'repo_url', 'must be an address'],
      [{ repo_url: 'git://example.com/a' }, 'repo_url', 'must be an address'],
      [{ repo_url: 'https://me:secret@example.com/a.git' }, 'repo_url', 'must not hold a name or password'],
      [{ repo_url: 'https://token@example.com/a.git' }, 'repo_url', 'must not hold a name or password'],
      [{ repo_url: 'ssh://me:secret@example.com/a.git' }, 'repo_url', 'must not hold a name or password'],
      [{ repo_url: 'https://example.com/a.git?token=secret' }, 'repo_url', 'must end with the path'],
      [{ repo_url: 'https://a', branch: 'a..b' }, 'branch', 'is not a name that a branch can have'],
      [{ repo_url: 'https://a', branch: 'a b' }, 'branch', 'is not a name that a branch can have'],
      [{ archive_ptr: 'redis://ctx:x' }, 'archive_ptr', 'must name an uploaded archive'],
      [{ archive_ptr: 'redis://archive:default:x' }, 'archive_ptr', 'must name an uploaded archive'],
      [{ archive_ptr: 'redis://archive:default:x', local_path: '/a' }, 'archive_ptr', 'cannot go together'],
      [{ archive_ptr: 'redis://archive:default:x', repo_url: 'https://a' }, 'archive_ptr', 'cannot go together'],
      [{ repo_url: 'ssh://-oProxyCommand=id/x' }, 'repo_url', 'must be an address'],
      [{ repo_url: '/etc' }, 'repo_url', 'must be an address'],
      [{ repo_url: 'https://a', branch: ' -b' }, 'branch', 'must not begin'],
      [{ repo_url: 'https://a', branch: '-b' }, 'branch', 'must not begin'],
      [{ repo_url: 'https://a\nb' }, 'repo_url', 'control characters'],
      [{ local_path: [] }, 'local_path', 'must be text'],
      [{ local_path: '/a', include_globs: 'x' }, 'include_globs', 'must be a list'],
      [{ local_path: '/a', exclude_globs: [''] }, 'exclude_globs[0]', 'at least 1'],
      [{ local_path: '/a', max_files: -1 }, 'max_files', 'at least 0'],
      [{ local_path: '/a', batch_size: 1.5 }, 'batch_size', 'whole number'],
      [{ local_path: '/a', max_batches: '5' }, 'max_batches', 'must be a number'],
      [{ local_path: '/a', run_tests: 'yes' }, 'run_tests', 'true or false'],
      [{ local_path: '/a', test_command: 1 }, 'test_command', 'must be text'],
    ])('%j is refused', async (body, field, detail) => {
      await expectProblem(await post(body), 400, { code: 'invalid_argument', field, detail });
    });
  });
}
