// gRPC server reflection, in the two versions that clients ask for: what grpcurl and its like read in place of .proto files. It goes
// beside the routes of one server and tells of these alone. A stream both ways, so it needs HTTP/2: gRPC, and Connect where the
// client speaks that version. Who may ask is for the server's `admit`.
import type { HandlerContext } from '@connectrpc/connect';
import { CortexError } from '#core/errors.ts';
import { type Clock, systemClock } from '#core/system.ts';
import { ServerReflection } from '#proto/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionAlpha } from '#proto/grpc/reflection/v1alpha/reflection_pb.ts';
import type { Routes } from './connect.ts';
import { type Descriptors, describe } from './descriptors.ts';

/** Questions in one stream. */
export const maxQuestions = 512;
/** Bytes of one question: it holds one name. */
export const maxQuestionBytes = 4 * 1024;
/** How long a stream lives, ms: shorter than our servers let a request take, so that its end comes with a reason. */
export const streamMs = 25_000;

export interface Reflection {
  /** The routes and, beside them, both versions of reflection over them and itself. */
  beside(routes: Routes): Routes;
  /** Ends every stream with `unavailable`, now and from now on: a server that drains does not wait for who only listens. */
  stop(): void;
  /** Streams that are open. */
  readonly open: number;
}

export function createReflection(clock: Clock = systemClock): Reflection {
  const enders = new Set<(error: CortexError) => void>();
  let stopped: CortexError | undefined;

  async function* answers<Q extends Question>(
    descriptors: Descriptors,
    questions: AsyncIterable<Q>,
    signal: AbortSignal,
  ) {
    if (stopped !== undefined) throw stopped;
    const over = Promise.withResolvers<never>();
    over.promise.catch(() => undefined); // it may come while nobody asks
    // Called at every end, and not only from `finally`: a client that does not read keeps an answer waiting, and us with it.
    const forget = (): void => {
      cancel();
      enders.delete(end);
      signal.removeEventListener('abort', gone);
    };
    const end = (error: CortexError): void => {
      forget();
      over.reject(error);
    };
    const gone = (): void => end(new CortexError('canceled', 'the caller went away'));
    const late = new CortexError('deadline_exceeded', `a stream of reflection ends after ${streamMs} ms; open another`);
    const cancel = clock.after(streamMs, () => end(late));
    signal.addEventListener('abort', gone);
    enders.add(end);
    try {
      const asked = questions[Symbol.asyncIterator]();
      for (let n = 0; ; n++) {
        // Never returned: who waits for a question in vain cannot be called back, and it ends with the stream.
        const next = await Promise.race([over.promise, asked.next()]);
        if (next.done === true) return;
        if (n === maxQuestions) {
          throw new CortexError('resource_exhausted', `a stream of reflection takes ${maxQuestions} questions`);
        }
        const { value: question } = next;
        yield {
          validHost: question.host,
          originalRequest: question,
          messageResponse: answerTo(question.messageRequest, descriptors),
        };
      }
    } finally {
      forget();
    }
  }

  return {
    beside: (routes) => (router) => {
      routes(router);
      const known = router.handlers.map(({ service }) => service);
      const descriptors = describe([...known, ServerReflection, ServerReflectionAlpha]);
      const serverReflectionInfo = <Q extends Question>(questions: AsyncIterable<Q>, { signal }: HandlerContext) =>
        answers(descriptors, questions, signal);
      const options = { readMaxBytes: maxQuestionBytes, grpc: true, connect: true, grpcWeb: false };
      router.service(ServerReflection, { serverReflectionInfo }, options);
      router.service(ServerReflectionAlpha, { serverReflectionInfo }, options);
    },
    stop() {
      stopped ??= new CortexError('unavailable', 'the server is about to stop');
      for (const end of enders) end(stopped);
    },
    get open() {
      return enders.size;
    },
  };
}

/** What both versions have in common: all but the names of their types. */
interface Question {
  readonly host: string;
  readonly messageRequest: QuestionKind;
}

type QuestionKind =
  | { readonly case: 'fileByFilename' | 'fileContainingSymbol'; readonly value: string }
  | { readonly case: 'allExtensionNumbersOfType' | 'listServices'; readonly value: string }
  | {
      readonly case: 'fileContainingExtension';
      readonly value: { readonly containingType: string; readonly extensionNumber: number };
    }
  | { readonly case: undefined; readonly value?: undefined };

function answerTo(question: QuestionKind, descriptors: Descriptors) {
  switch (question.case) {
    case 'listServices':
      return {
        case: 'listServicesResponse' as const,
        value: { service: descriptors.services.map((name) => ({ name })) },
      };
    case 'fileByFilename':
      return files(descriptors.file(question.value), `file ${question.value}`);
    case 'fileContainingSymbol':
      return files(descriptors.fileOf(question.value), `symbol ${question.value}`);
    case 'fileContainingExtension': {
      const { containingType, extensionNumber } = question.value;
      const found = descriptors.fileOfExtension(containingType, extensionNumber);
      return files(found, `extension ${extensionNumber} of ${containingType}`);
    }
    case 'allExtensionNumbersOfType': {
      const extensionNumber = descriptors.extensionsOf(question.value);
      if (extensionNumber === undefined) return notFound(`type ${question.value}`);
      return {
        case: 'allExtensionNumbersResponse' as const,
        value: { baseTypeName: question.value, extensionNumber: [...extensionNumber] },
      };
    }
    case undefined:
      // Also what a newer client asks and this server has never heard of.
      return fault(12, 'this question is not understood');
  }
}

function files(found: readonly Uint8Array[] | undefined, what: string) {
  if (found === undefined) return notFound(what);
  return { case: 'fileDescriptorResponse' as const, value: { fileDescriptorProto: [...found] } };
}

function notFound(what: string) {
  return fault(5, `${what} is not known here`);
}

/** An answer inside the stream, which goes on. The code is gRPC's number. */
function fault(errorCode: number, errorMessage: string) {
  return { case: 'errorResponse' as const, value: { errorCode, errorMessage } };
}
