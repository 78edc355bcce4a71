// What an id from outside may look like: job, trace, tenant, worker, workflow. One rule, because ids become parts of Redis keys
// and NATS subjects, where blanks, colons and wildcards mean something. How ids are minted is not decided here.

const idPattern = /^[A-Za-z0-9._-]{1,128}$/;

/** Whether text may serve as an id: 1 to 128 of letters, digits, dot, underscore and hyphen. */
export function isId(text: string): boolean {
  return idPattern.test(text);
}
