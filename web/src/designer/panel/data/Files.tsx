import { Anchor, Button, Code, Group, Image, Text } from '@mantine/core';
import { IconDownload, IconFile } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { type BlobView, blobAddress, type ItemView } from '@/api/runData';
import { words } from '@/text/language';
import { sizeText } from '@/widgets/sizes';
import classes from './data.module.css';

const PICTURES = /^image\/(png|jpeg|gif|webp|avif)$/;
const TEXTS = /^(text\/|application\/(json|xml|yaml|x-yaml|javascript|toml|sql))/;
const MOST_TEXT = 200_000;
const MOST_PICTURE = 30_000_000;

/** The files that items have: pictures and texts can be looked at, all can be downloaded. */
export function FilesView({ items, label }: { readonly items: readonly ItemView[]; readonly label: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls.
    <section className={classes.scroller} tabIndex={0} aria-label={label}>
      {items.flatMap((item) =>
        Object.entries(item.binary).map(([name, blob]) => (
          <FileCard key={`${item.index}/${name}`} title={`${words.panel.item} ${item.index}: ${name}`} blob={blob} />
        )),
      )}
    </section>
  );
}

function FileCard({ title, blob }: { readonly title: string; readonly blob: BlobView }) {
  const [shown, setShown] = useState(false);
  const address = blobAddress(blob.digest);
  const picture = PICTURES.test(blob.media_type) && blob.size <= MOST_PICTURE;
  const text = TEXTS.test(blob.media_type);
  return (
    <div className={classes.file}>
      <Group gap="xs" wrap="nowrap">
        <IconFile size={16} />
        <div className={classes.fileName}>
          <Text size="sm" truncate>
            {blob.name || title}
          </Text>
          <Text size="xs" c="dimmed" truncate>
            {title} · {blob.media_type} · {sizeText(blob.size)}
          </Text>
        </div>
        {(text || (picture && !shown)) && (
          <Button size="compact-xs" variant="light" aria-expanded={shown} onClick={() => setShown(!shown)}>
            {text ? words.panel.showText : words.panel.preview}
          </Button>
        )}
        <Anchor href={address} download={blob.name || 'file'} aria-label={`${words.panel.download}: ${title}`}>
          <IconDownload size={16} />
        </Anchor>
      </Group>
      {shown && picture && <Image src={address} alt={blob.name || title} fit="contain" mah={320} mt="xs" />}
      {shown && text && <TextFile address={address} />}
    </div>
  );
}

function TextFile({ address }: { readonly address: string }) {
  const { data, error } = useQuery({
    queryKey: ['blob-text', address],
    queryFn: async ({ signal }) => {
      const response = await fetch(address, { signal, headers: { Range: `bytes=0-${MOST_TEXT - 1}` } });
      if (!response.ok) throw new Error(response.statusText);
      return (await response.text()).slice(0, MOST_TEXT);
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (error) return <Text c="red">{error.message}</Text>;
  return (
    <Code block mt="xs" mah={320} className={classes.fileText}>
      {data}
    </Code>
  );
}
