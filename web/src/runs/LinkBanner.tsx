import { Alert } from '@mantine/core';
import { IconPlugConnectedX } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { words } from '@/text/language';
import type { RunLive } from './live';

/** Says that what is shown may be old; a break that is over in a moment is not told. */
export function LinkBanner({ link }: { readonly link: RunLive['link'] }) {
  const broken = link === 'away' || link === 'locked' || link === 'gone';
  const [told, setTold] = useState(false);
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
