/** The server's API: typed by its own description, with errors as the server tells them. */

import createClient from 'openapi-fetch';
import { patient } from './patience';
import type { components, paths } from './schema';
import { tellSession } from './session';

export type Schemas = components['schemas'];

/** What the server says went wrong; `code` stays the same, `hint` says what to do. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string;
  readonly where: Record<string, unknown>;
  readonly details: Record<string, unknown>;

  constructor(status: number, told: Partial<Schemas['ErrorView']>) {
    super(told.message ?? `The server answered with ${status}.`);
    this.name = 'ApiError';
    this.status = status;
    this.code = told.code ?? 'server.unknown';
    this.hint = told.hint ?? '';
    this.where = { ...(told.where ?? {}) };
    this.details = { ...(told.details ?? {}) };
  }

  /** The server no longer knows who asks. */
  get locked(): boolean {
    return this.status === 401;
  }

  /** No answer came at all. */
  get offline(): boolean {
    return this.status === 0;
  }
}

export const client = createClient<paths>({ baseUrl: '/', credentials: 'same-origin', fetch: patient });

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** What an answer holds. Raises `ApiError`, with status 0 where the server could not be reached. */
export async function ask<T>(request: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await request;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    if (error instanceof SyntaxError) throw strange();
    throw new ApiError(0, {
      code: 'server.offline',
      message: 'The server cannot be reached.',
      hint: 'What you have changed is kept here until it can.',
    });
  }
  if (answer.response.status === 401) tellSession(false);
  else if (answer.response.ok) tellSession(true);
  if (!answer.response.ok) {
    throw new ApiError(answer.response.status, (answer.error ?? {}) as Partial<Schemas['ErrorView']>);
  }
  if ((answer.data ?? null) === null && answer.response.status !== 204) throw strange();
  return answer.data as T;
}

/** An answer that is none of our server's, such as the page of a proxy: as if it could not be reached. */
function strange(): ApiError {
  return new ApiError(0, {
    code: 'server.strange',
    message: 'Something else has answered in the place of the server.',
    hint: 'A proxy or a login page may stand between. What you have changed is kept here.',
  });
}
