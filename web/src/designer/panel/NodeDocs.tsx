import { Badge, Code, Group, Text, Title } from '@mantine/core';
import Markdown from 'react-markdown';
import type { NodeTypeDetails } from '@/api/nodeTypes';
import type { Json, JsonObject } from '@/graph/model';
import { fill, words } from '@/text/language';
import { usePanel } from './context';
import { brief } from './data/shape';
import { fieldOf, humanName, isSchema } from './form/kinds';
import classes from './panel.module.css';

/** What the node type does, and each of its parameters. */
export function NodeDocs({ type }: { readonly type: NodeTypeDetails | undefined }) {
  const { resolve } = usePanel();
  if (!type) return <Text c="dimmed">{words.panel.missingType}</Text>;
  const properties = isSchema(type.params_schema.properties as Json)
    ? (type.params_schema.properties as JsonObject)
    : {};
  const required = new Set((type.params_schema.required ?? []) as string[]);
  return (
    <div className={classes.docs}>
      <Markdown>{type.description}</Markdown>
      <Group gap="xs" mb="md">
        <Badge variant="light" tt="none">
          {fill(words.panel.portsIn, { ports: type.ports_in.join(', ') || '–' })}
        </Badge>
        <Badge variant="light" tt="none">
          {fill(words.panel.portsOut, { ports: type.ports_out?.join(', ') ?? words.panel.byParameters })}
        </Badge>
        <Badge variant="light" tt="none" color="gray">
          {fill(words.panel.effectsAre, { effects: type.effects ?? words.panel.byParameters })}
        </Badge>
      </Group>
      <Title order={3} size="h5">
        {words.panel.parameters}
      </Title>
      {Object.entries(properties).map(([name, value]) => {
        const schema = value as JsonObject;
        const { options } = fieldOf(schema, name, type.use, resolve);
        return (
          <div key={name} className={classes.parameter}>
            <Group gap={6}>
              <Text fw={600} size="sm">
                {(schema.title as string | undefined) ?? humanName(name)}
              </Text>
              <Code>{name}</Code>
              {required.has(name) && (
                <Badge size="xs" color="red" variant="light" tt="none">
                  {words.panel.required}
                </Badge>
              )}
            </Group>
            {typeof schema.description === 'string' && <Markdown>{schema.description}</Markdown>}
            {options.length > 0 && (
              <Text size="xs" c="dimmed">
                {options.map(String).join(' · ')}
              </Text>
            )}
            {schema.default !== undefined && schema.default !== null && schema.default !== '' && (
              <Text size="xs" c="dimmed">
                {fill(words.panel.defaultIs, { value: brief(schema.default as Json) })}
              </Text>
            )}
          </div>
        );
      })}
    </div>
  );
}
