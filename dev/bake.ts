/** Facts of the repository that images are labelled with. */
export interface ImageFacts {
  readonly version: string;
  /** Commit that the images are built from. */
  readonly revision: string;
  /** Time of the commit, in seconds: the time of every file in the images. */
  readonly epochSeconds: number;
  /** Address of the repository; empty where it has none that others can open. */
  readonly source: string;
  /** Whether files differ from the commit. */
  readonly isDirty: boolean;
}

/** Wishes of who runs `npm run images`. */
export interface ImageOptions {
  /** Whether the images go to a registry, for several platforms; otherwise they stay here, for this machine's. */
  readonly push: boolean;
  /** Registry and path before the names of the images, such as `registry.example.org/team`. */
  readonly registry: string;
  /** Tags beside the version and the commit. */
  readonly tags: readonly string[];
  /** Targets of docker-bake.hcl; none for all. */
  readonly targets: readonly string[];
  /** File that gets the digest of each image, as JSON by target. */
  readonly metadataFile?: string | undefined;
}

/** Program, its arguments, and what it gets in its environment. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

// https://github.com/distribution/reference: a tag, and a registry with a path.
const tagPattern = /^\w[\w.-]{0,127}$/;
const registryPattern = /^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._/-]+)?$/;

/**
 * Describes the command that builds the images.
 *
 * @throws Error when what is wished for cannot be, with what to do
 */
export function bakeCommand(
  facts: ImageFacts,
  { push, registry, tags, targets, metadataFile }: ImageOptions,
): Command {
  for (const tag of tags)
    if (!tagPattern.test(tag))
      throw new Error(`'${tag}' is no tag; it may have 128 letters, digits, dots, dashes and underscores`);
  if (registry !== '' && !registryPattern.test(registry))
    throw new Error(`'${registry}' is no registry; write it as registry.example.org/team, without https://`);
  if (push && registry === '')
    throw new Error(
      'Images are pushed to a registry, and none is named; add --registry registry.example.org/team',
    );
  if (push && facts.isDirty)
    throw new Error(
      `Files differ from the commit ${facts.revision}, by which the images would be named; commit the changes first`,
    );
  return {
    program: 'docker',
    args: [
      'buildx',
      'bake',
      '--file',
      'docker-bake.hcl',
      push ? '--push' : '--load',
      ...(metadataFile === undefined ? [] : ['--metadata-file', metadataFile]),
      ...targets,
    ],
    env: {
      REGISTRY: registry,
      VERSION: facts.version,
      REVISION: facts.isDirty ? `${facts.revision}-dirty` : facts.revision,
      CREATED: new Date(facts.epochSeconds * 1000).toISOString().replace('.000', ''),
      SOURCE: facts.source,
      TAGS: (tags.length > 0 ? tags : ['latest']).join(','),
      LOCAL: String(!push),
      SOURCE_DATE_EPOCH: String(facts.epochSeconds),
    },
  };
}

/** Writes a command as a shell takes it. */
export function shellLine({ program, args, env }: Command): string {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${quoted(value)}`);
  return [...variables, program, ...args.map(quoted)].join(' ');
}

function quoted(word: string): string {
  return /^[\w./:@=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Address of a remote repository that others can open; credentials in it are left out. */
export function sourceOf(remoteUrl: string): string {
  if (!URL.canParse(remoteUrl)) return '';
  const url = new URL(remoteUrl);
  if (url.protocol !== 'https:') return '';
  url.username = '';
  url.password = '';
  return url.href.replace(/\.git$/, '');
}
