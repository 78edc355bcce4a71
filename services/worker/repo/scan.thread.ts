// The thread of job.repo.scan.
import { serveThread } from '../thread-main.ts';
import type { ScanTask } from './scan.ts';
import { scan } from './scanner.ts';

serveThread<ScanTask>(({ request, settings }, { signal, log, progress, artifact }) =>
  scan(request, settings, { signal, log, progress, store: (archive) => artifact('repo-archive', archive) }),
);
