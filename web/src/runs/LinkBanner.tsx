import { Alert } from '@mantine/core';
import { IconPlugConnectedX } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { words } from '@/text/language';
import type { RunLive } from './live';

/** Says that what is shown may be old; a break that is over in a moment is not told. */
export function LinkBanner({ link }: { readonly link: RunLive['link'] }) {
  const broken = link === 'away' || link === 'locked' || link === 'gone';
  const [told, setTold] = useState(false);
  const queries = useQueryClient();
  const away = useRef(false);
  // What could not be read meanwhile is read now.
  useEffect(() => {
    if (link === 'away') away.current = true;
    else if (link === 'live' && away.current) {
      away.current = false;
      void queries.refetchQueries({ predicate: (query) => query.state.status === 'error' });
    }
  }, [link, queries]);
  useEffect(() => {
    if (!broken) {
      setTold(false);
      return;
    }
    const timer = setTimeout(() => setTold(true), link === 'away' ? 700 : 0);
    return () => clearTimeout(timer);
  }, [broken, link]);
  return (
    <div role="status">
      {broken && told && (
        <Alert color="orange" radius={0} py={8} icon={<IconPlugConnectedX size={18} />}>
          {words.runs.link[link]}
        </Alert>
      )}
    </div>
  );
}
