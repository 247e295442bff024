/** The runs that fit the filters, a page at a time, newest first, kept up as runs come and go. */

import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { ask, client } from '@/api/client';
import { watchRuns } from '@/api/runEvents';
import type { Link } from '@/api/stream';
import { type Filters, queryOf } from './filters';

const PAGE = 50;
/** Many runs may come in a second; the list is read again this often at most, in milliseconds. */
const APART = 700;
/** How long until a server that did not answer is asked again, in milliseconds. */
const ASK = 2_000;

/** The pages that were asked for. */
export function useRunList(filters: Filters) {
  return useInfiniteQuery({
    queryKey: ['runs', 'list', filters],
    queryFn: ({ pageParam, signal }) =>
      ask(
        client.GET('/api/v1/runs', {
          params: { query: { ...queryOf(filters), limit: PAGE, ...(pageParam ? { before: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next ?? undefined,
    placeholderData: (before) => before,
  });
}

/** Read what is shown of runs again as soon as something has happened to any; says whether the server is there. */
export function useRunsLive(): Link {
  const queries = useQueryClient();
  const [link, setLink] = useState<Link>('connecting');
  useEffect(() => {
    let stop: (() => void) | null = null;
    let left = false;
    let waiting: ReturnType<typeof setTimeout> | undefined;
    let asking: ReturnType<typeof setTimeout> | undefined;
    let read = 0;
    const again = () => {
      clearTimeout(waiting);
      waiting = setTimeout(
        () => {
          read = Date.now();
          void queries.invalidateQueries({ queryKey: ['runs'] });
        },
        Math.max(120, read + APART - Date.now()),
      );
    };
    const begin = () => {
      ask(client.GET('/api/v1/cursor')).then(
        ({ cursor }) => {
          if (left) return;
          stop = watchRuns(cursor, { hear: again, link: setLink });
          // What happened before the cursor was known.
          again();
        },
        () => {
          if (left) return;
          setLink('away');
          asking = setTimeout(begin, ASK);
        },
      );
    };
    begin();
    return () => {
      left = true;
      clearTimeout(waiting);
      clearTimeout(asking);
      stop?.();
    };
  }, [queries]);
  return link;
}
