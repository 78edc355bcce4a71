// The doorbell: the packet of a job whose record is stored, so that a scheduler looks now and not within a second. Its header says that
// there is a record, which spares whoever hears it the try to make one. It is a hint without authority: anybody may send it, and what
// is judged and run is the record.
import { headers, subjects } from './subjects.ts';

export interface Doorbell {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

const recorded = { [headers.recorded]: '1' };

/** For the packet of a job that `create` has answered for. */
export function doorbell(packet: Uint8Array): Doorbell {
  return { subject: subjects.submit, data: packet, headers: recorded };
}
