/** Rows of core.get_jobs. */
import type { StoredJob } from "../store.ts";

/** A row of core.get_jobs. */
export function jobRow(job: StoredJob): Record<string, unknown> {
  return {
    id: job.id,
    message_ids: job.messageIds,
    method: job.method,
    arguments: job.arguments,
    transient: false,
    description: null,
    abortable: job.isAbortable,
    logs_path: job.logs === null ? null : `/var/log/jobs/${job.id}.log`,
    logs_excerpt: job.finishedAt === null ? null : job.logs,
    progress: { percent: job.percent, description: job.description, extra: null },
    result: job.result,
    result_encoding_error: null,
    error: job.error,
    exception: job.error === null ? null : "…",
    exc_info: job.excInfo,
    state: job.state,
    time_started: { $date: job.startedAt },
    time_finished: job.finishedAt === null ? null : { $date: job.finishedAt },
    credentials: job.credentials,
  };
}
