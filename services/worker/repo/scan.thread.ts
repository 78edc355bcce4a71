// The thread of job.repo.scan.
import { serveThread } from '../thread-main.ts';
import type { ScanTask } from './scan.ts';
import { scan } from './scanner.ts';

serveThread<ScanTask>(({ request, settings, archive }, { signal, log, progress, artifact, constraints }) => {
  const { networkAllowlist = [], fsReadWrite = [] } = constraints?.sandbox ?? {};
  const bound = { ...settings, allowedHosts: networkAllowlist, writable: fsReadWrite };
  const tools = { signal, log, progress, store: (packed: Uint8Array) => artifact('repo-archive', packed) };
  return scan(request, bound, tools, archive);
});
