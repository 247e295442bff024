import { Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { words } from '@/text/language';
import { readJson } from '../panel/form/JsonControl';
import { useTyped } from '../panel/form/useParameter';
import panelClasses from '../panel/panel.module.css';
import { type Entry, EntryCard, NamedEntries } from './NamedEntries';

const t = words.graphSettings;
const TYPES = ['string', 'number', 'integer', 'boolean', 'array', 'object'];
const PART = {
  part: 'state',
  title: t.state,
  hint: t.stateHint,
  add: t.addChannel,
  stem: 'channel',
  nameLabel: t.channelName,
} as const;

/** The graph's state channels. */
export function Channels() {
  // One that is renamed keeps its place and the focus.
  return <NamedEntries of={PART} card={(entry) => <Channel key={entry.index} entry={entry} />} />;
}

function Channel({ entry }: { readonly entry: Entry }) {
  const { name, value: channel, put } = entry;
  const [wrong, setWrong] = useState(false);
  const begin = useTyped(channel.default === undefined ? '' : JSON.stringify(channel.default), (text, merge) => {
    const { value, error } = readJson(text);
    setWrong(error !== '');
    if (!error) put('default', value, merge);
  });
  const help = useTyped(String(channel.description ?? ''), (text, merge) =>
    put('description', text === '' ? undefined : text, merge),
  );
  return (
    <EntryCard
      entry={entry}
      head={
        <>
          <Select
            aria-label={`${t.type}: ${name}`}
            data={TYPES}
            value={String(channel.type)}
            allowDeselect={false}
            onChange={(type) => put('type', type)}
          />
          <Select
            flex={1}
            aria-label={`${t.reduce}: ${name}`}
            data={Object.entries(t.reducers).map(([value, label]) => ({ value, label: `${t.reduce} ${label}` }))}
            value={String(channel.reduce ?? 'replace')}
            allowDeselect={false}
            onChange={(reduce) => put('reduce', reduce === 'replace' ? undefined : reduce)}
          />
        </>
      }
    >
      <div className={panelClasses.grid}>
        <TextInput
          label={`${t.default} (JSON)`}
          value={begin.text}
          error={wrong}
          onChange={(event) => begin.type(event.currentTarget.value)}
          onBlur={begin.leave}
        />
        <TextInput
          label={t.description}
          value={help.text}
          onChange={(event) => help.type(event.currentTarget.value)}
          onBlur={help.leave}
        />
      </div>
    </EntryCard>
  );
}
