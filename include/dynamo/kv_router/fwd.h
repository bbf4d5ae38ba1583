// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace dynamo::kv_router {
class ActiveSequences;
class AdmissionQueue;
class ApproximateIndex;
class EngineEventReader;
class EventOrder;
class LowerTierIndex;
class NaiveIndex;
class PolicySelector;
class PrefixIndex;
class ReplicaSync;
class Selector;
class WorkerCaches;
class WorkerSelector;
struct ActiveSequenceEvent;
struct KvBlock;
struct KvCacheEvent;
struct RouterEvent;
struct WorkerKey;
}  // namespace dynamo::kv_router
