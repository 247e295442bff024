import { ActionIcon, Anchor, Autocomplete, Group, Text, Tooltip } from '@mantine/core';
import { IconExternalLink } from '@tabler/icons-react';
import { useCredentials } from '@/api/credentials';
import { useGraphs } from '@/api/graphs';
import { words } from '@/text/language';
import type { FieldView } from './ParameterField';
import { useTyped } from './useParameter';

/** The name of a credential of the vault. */
export function CredentialControl(view: FieldView) {
  const { data } = useCredentials();
  const names = data?.credentials.map((one) => one.name) ?? [];
  return (
    <>
      <Named view={view} names={names} placeholder={names.length ? words.panel.notSet : words.panel.credentialNone} />
      <Anchor href="#/credentials" size="xs" target="_blank" rel="noreferrer">
        {names.length ? words.panel.credentialManage : words.panel.credentialNew}
      </Anchor>
    </>
  );
}

/** The id of a graph that is called. */
export function GraphControl(view: FieldView) {
  const { data: graphs = [] } = useGraphs();
  const called = graphs.find((graph) => graph.id === view.value);
  return (
    <>
      <Group gap={6} wrap="nowrap">
        <div style={{ flex: 1 }}>
          <Named view={view} names={graphs.map((graph) => graph.id)} placeholder={words.panel.notSet} />
        </div>
        {called && (
          <Tooltip label={words.panel.openGraph}>
            <ActionIcon
              component="a"
              href={`#/graphs/${called.id}`}
              target="_blank"
              rel="noreferrer"
              variant="default"
              size="lg"
              aria-label={words.panel.openGraph}
            >
              <IconExternalLink size={16} />
            </ActionIcon>
          </Tooltip>
        )}
      </Group>
      {called && called.name !== called.id && (
        <Text size="xs" c="dimmed">
          {called.name}
        </Text>
      )}
    </>
  );
}

function Named(props: { readonly view: FieldView; readonly names: readonly string[]; readonly placeholder: string }) {
  const { view, names, placeholder } = props;
  const typed = useTyped(typeof view.value === 'string' ? view.value : '', (text, merge) =>
    view.write(text === '' && !view.required ? undefined : text, merge),
  );
  return (
    <Autocomplete
      aria-labelledby={view.labelId}
      aria-describedby={view.describedBy}
      data={[...names]}
      value={typed.text}
      placeholder={placeholder}
      error={view.invalid}
      onChange={typed.type}
      onBlur={typed.leave}
    />
  );
}
