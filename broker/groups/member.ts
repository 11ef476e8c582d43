import { ErrorCode } from '../errors.ts';

/** A way to share out partitions that a member offers, with what it tells the leader for it; opaque to the broker. */
export interface Protocol {
  name: string;
  metadata: Buffer;
}

/** Request of a client to become, or stay, a member of a group. Durations are in ms. */
export interface JoinRequest {
  /** Empty for a client that has no id yet. */
  memberId: string;
  clientId: string;
  /** Address of the client. */
  clientHost: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  /** `consumer`, but a group may be used for other things. */
  protocolType: string;
  /** The one it likes best first. */
  protocols: Protocol[];
}

/** The answer to a join. Only the leader gets the members, as it shares out the partitions. */
export interface JoinReply {
  error: ErrorCode;
  generation: number;
  protocol: string;
  leaderId: string;
  memberId: string;
  members: { memberId: string; metadata: Buffer }[];
}

/** The answer to a sync: the member's part of what the leader shared out. */
export interface SyncReply {
  error: ErrorCode;
  assignment: Buffer;
}

/** Activity of a member: it is on its own, with a session that runs out, or waits for the answer to a join or a sync. */
type Activity =
  | { kind: 'on its own'; sessionTimer: NodeJS.Timeout }
  | { kind: 'joining'; resolve: (reply: JoinReply) => void }
  | { kind: 'syncing'; resolve: (reply: SyncReply) => void };

/** One member of a consumer group. It expires when it is silent for its session timeout while nobody lets it wait. */
export class Member {
  readonly id: string;
  readonly #onExpired: () => void;
  #request: JoinRequest;
  #activity: Activity;
  assignment: Buffer = Buffer.alloc(0);

  constructor(request: JoinRequest, onExpired: () => void) {
    this.id = request.memberId;
    this.#request = request;
    this.#onExpired = onExpired;
    this.#activity = this.#onItsOwn();
  }

  get request(): JoinRequest {
    return this.#request;
  }

  get isJoining(): boolean {
    return this.#activity.kind === 'joining';
  }

  /** Takes what the member offers now, and tells whether that is what it offered before. */
  update(request: JoinRequest): 'same' | 'different' {
    const before = this.#request.protocols;
    const now = request.protocols;
    const isSame =
      now.length === before.length &&
      now.every(
        ({ name, metadata }, at) => name === before[at]?.name && metadata.equals(before[at].metadata),
      );
    this.#request = request;
    return isSame ? 'same' : 'different';
  }

  supports(protocol: string): boolean {
    return this.#request.protocols.some(({ name }) => name === protocol);
  }

  metadataFor(protocol: string): Buffer {
    return this.#request.protocols.find(({ name }) => name === protocol)?.metadata ?? Buffer.alloc(0);
  }

  /** Starts the session timeout anew: the member showed that it lives. */
  renewSession(): void {
    if (this.#activity.kind === 'on its own') this.#switchTo(this.#onItsOwn());
  }

  /** Lets the member wait for the next generation. */
  waitForJoin(): Promise<JoinReply> {
    return new Promise(resolve => this.#switchTo({ kind: 'joining', resolve }));
  }

  /** Lets the member wait for the leader's decision. */
  waitForSync(): Promise<SyncReply> {
    return new Promise(resolve => this.#switchTo({ kind: 'syncing', resolve }));
  }

  /** Answers a join, if one waits. */
  replyToJoin(reply: JoinReply): void {
    if (this.#activity.kind !== 'joining') return;
    this.#activity.resolve(reply);
    this.#switchTo(this.#onItsOwn());
  }

  /** Answers a sync, if one waits. */
  replyToSync(reply: SyncReply): void {
    if (this.#activity.kind !== 'syncing') return;
    this.#activity.resolve(reply);
    this.#switchTo(this.#onItsOwn());
  }

  /** Lets the member go: what it waits for is answered with `error`, and no timer is left. */
  dismiss(error: ErrorCode): void {
    this.replyToJoin(refuseJoin(error, this.id));
    this.replyToSync(refuseSync(error));
    if (this.#activity.kind === 'on its own') clearTimeout(this.#activity.sessionTimer);
  }

  #onItsOwn(): Activity {
    return { kind: 'on its own', sessionTimer: setTimeout(this.#onExpired, this.#request.sessionTimeoutMs) };
  }

  /** Switches to another activity. A client that still waits for an answer sent the request anew, over another connection. */
  #switchTo(activity: Activity): void {
    const before = this.#activity;
    this.#activity = activity;
    switch (before.kind) {
      case 'on its own':
        clearTimeout(before.sessionTimer);
        break;
      case 'joining':
        before.resolve(refuseJoin(ErrorCode.REBALANCE_IN_PROGRESS, this.id));
        break;
      case 'syncing':
        before.resolve(refuseSync(ErrorCode.REBALANCE_IN_PROGRESS));
        break;
      default:
        before satisfies never;
    }
  }
}

/** Makes the answer to a join that fails. */
export function refuseJoin(error: ErrorCode, memberId: string): JoinReply {
  return { error, generation: -1, protocol: '', leaderId: '', memberId, members: [] };
}

/** Makes the answer to a sync that fails. */
export function refuseSync(error: ErrorCode): SyncReply {
  return { error, assignment: Buffer.alloc(0) };
}
