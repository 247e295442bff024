/** Folders of the machine that runs are executed on: names of what is in them, never contents. */

import { useQuery } from '@tanstack/react-query';
import { ApiError, ask, client, type Schemas } from './client';

export type FolderView = Schemas['FolderView'];
export type FileEntry = Schemas['FileEntry'];

/** What is asked of a folder. */
export interface FolderQuery {
  /** Absolute, or beginning with `~`; empty: where the server was started; null: nothing is asked. */
  readonly folder: string | null;
  /** Part of the names; the server looks through folders of which it tells a part only. */
  readonly search?: string;
  /** Also what begins with a dot. */
  readonly hidden?: boolean;
}

/** What is in a folder now. */
export function useFolder({ folder, search = '', hidden = false }: FolderQuery) {
  return useQuery({
    queryKey: ['files', folder, search, hidden],
    enabled: folder !== null,
    // Files come and go without anyone telling: what was read is good for the moment in which one looks.
    staleTime: 5_000,
    retry: false,
    queryFn: ({ signal }): Promise<FolderView> =>
      ask(client.GET('/api/v1/files', { params: { query: { folder: folder ?? '', search, hidden } }, signal })),
  });
}

/** Whether a path is a folder, which it is told as; null where it is something else. Raises `ApiError`. */
export async function folderAt(path: string): Promise<string | null> {
  try {
    return (await ask(client.GET('/api/v1/files', { params: { query: { folder: path } } }))).folder;
  } catch (error) {
    if (error instanceof ApiError && error.code === 'files.not_a_folder') return null;
    throw error;
  }
}
