"""What each source delivers: formats, completion, keys, versions and columns, as on the page."""

from dataclasses import dataclass
from functools import cache
from typing import Any

# source.entity format completion cadence(days) key version event_time, then name:kind …
# kinds: key text name code enum mobile email id_card vin ts date yuan fen int num bool json ms
SPECIFICATION = """
app.events jsonl done 1 type,event,distinct_id,time,_track_id - time
type:enum event:code distinct_id:key time:ms _track_id:key _flush_time:ms original_id:key anonymous_id:key login_id:key identities:json project:code lib:json properties:json
miniprogram.events jsonl done 1 type,event,distinct_id,time,_track_id - time
type:enum event:code distinct_id:key time:ms _track_id:key _flush_time:ms original_id:key anonymous_id:key login_id:key identities:json project:code lib:json properties:json
website.visits growing done 1 visitUserId,sessionId,vstRequestId - time
visitUserId:key sessionId:key platform:code domain:text page:text queryParameters:text referrer:text language:code time:ms sendTime:ms ip:text userAgent:text operatingSystem:text channel:text deviceType:code vstRequestId:key
website.pages growing done 1 visitUserId,sessionId,pageRequestId - time
visitUserId:key sessionId:key domain:text page:text queryParameters:text referrer:text title:text time:ms sendTime:ms loginUserId:key pageGroup:text appVariable:json pageRequestId:key vstRequestId:key
website.custom_events growing done 1 visitUserId,sessionId,eventName,time,eventNumber - time
visitUserId:key sessionId:key time:ms sendTime:ms domain:text page:text eventName:key eventNumber:key eventVariable:json loginUserId:key pageRequestId:key
crm.contacts csv manifest 7 客户ID 更新时间 -
客户ID:key 姓名:name 性别:enum 出生日期:date 手机号:mobile 备用手机号:mobile 邮箱:email 微信UnionID:key 企微ExternalUserID:key 省:text 市:text 地址:text 职业:text 家庭人口:int 是否允许营销:bool 同意时间:ts 是否注销:bool 创建时间:ts 更新时间:ts
crm.leads csv manifest 1 线索唯一ID 更新时间 线索创建时间
线索唯一ID:key 客户ID:key 客户姓名:name 手机号:mobile 客户性别:enum 微信UnionID:key inquiry_id:key 线索创建时间:ts 一级渠道名称:text 二级渠道名称:text 三级渠道名称:text 四级渠道名称:text 线索类型:enum 省:text 市:text 意向车系:code 意向车型:code 预算区间:text 线索评级:enum 线索状态:enum 经销商代码:code 销售顾问ID:code 分配时间:ts 线索下发时间:ts 首触时间:ts 是否接通:bool 通话时长秒:int 客户是否同意加微信:bool 到店时间:ts 试驾时间:ts 小订时间:ts 大定时间:ts 战败时间:ts 战败原因:text 推荐会员编码:code 活动编码:code 是否测试:bool 更新时间:ts
crm.follow_ups csv manifest 1 跟进ID - 跟进时间
跟进ID:key 线索唯一ID:key 销售顾问ID:code 跟进方式:enum 跟进时间:ts 是否接通:bool 通话时长秒:int 跟进前评级:enum 跟进后评级:enum 跟进结果:text 下次跟进时间:ts
crm.complaints csv manifest 7 投诉单号 更新时间 受理时间
投诉单号:key 客户姓名:name 手机号:mobile VIN:vin 投诉类型:enum 投诉级别:enum 来源:enum 经销商代码:code 责任顾问ID:code 受理时间:ts 通知顾问时间:ts 首次联系时间:ts 解决时间:ts 回访时间:ts 回访结果:text 关闭时间:ts 是否重开:bool 故障部位:text 状态:enum 更新时间:ts
crm.surveys csv manifest 7 问卷ID - 发送时间
问卷ID:key 问卷类型:enum 手机号:mobile VIN:vin 经销商代码:code 顾问ID:code 发送时间:ts 提交时间:ts 推荐分:int 满意度:num 评论:text
crm.owner_contacts csv manifest 7 联系ID - 联系时间
联系ID:key 手机号:mobile VIN:vin 顾问ID:code 联系时间:ts 方式:text 目的:enum 是否主动:bool
crm.wecom_contacts csv manifest 7 企微ExternalUserID,员工ID 更新时间 添加时间
企微ExternalUserID:key 微信UnionID:key 手机号:mobile 员工ID:key 添加时间:ts 删除时间:ts 来源:text 更新时间:ts
crm.campaigns csv manifest 7 活动编码 更新时间 -
活动编码:key 名称:text 平台:text 开始时间:ts 结束时间:ts 承诺权益:text 优惠金额:yuan 预算:yuan 更新时间:ts
crm.adf_leads adf stable 7 id,source requestdate requestdate
id:key source:key requestdate:ts vehicle_interest:code vehicle_year:int vehicle_make:text vehicle_model:text vehicle_trim:text name:name phone:mobile email:email address:text city:text regioncode:text comments:text vendor_id:code provider_name:text
crm.manual_tags csv manifest 7 标识类型,标识值,tag_id 更新时间 -
标识类型:key 标识值:key tag_id:key value:text 作者:text 原因:text 到期时间:ts 更新时间:ts
crm.erasure_requests csv manifest 7 申请ID - 申请时间
申请ID:key 标识类型:enum 标识值:key 申请时间:ts 类型:enum
dms.dealers csv stable 7 经销商代码 更新时间 -
经销商代码:key 经销商名称:text 大区:text 小区:text 省:text 市:text 类型:enum 开业日期:date 更新时间:ts
dms.customers csv stable 7 经销商代码,DMS客户号 最后更新 -
经销商代码:key DMS客户号:key 客户姓名:name 客户性质:enum 证件类型:text 证件号码:id_card 手机:mobile 备用电话:mobile 邮箱:email 地址:text 省:text 市:text 区:text 建档日期:date 最后更新:ts
dms.store_visits csv stable 1 接待单号 - 到店时间
接待单号:key 经销商代码:code 客户姓名:name 手机:mobile 到店时间:ts 离店时间:ts 到店方式:enum 意向车系:code 意向级别:enum 销售顾问ID:code
dms.test_drives xlsx stable 7 试驾单号 - 开始时间
试驾单号:key 经销商代码:code 客户姓名:name 手机:mobile 试驾车系:code 试驾车VIN:vin 开始时间:ts 结束时间:ts 起始里程:num 结束里程:num 满意度:num 销售顾问ID:code
dms.orders xlsx stable 7 订单号 更新时间 -
订单号:key 经销商代码:code DMS客户号:key 客户姓名:name 手机:mobile 证件号码:id_card 车系:code 车型:code 小订时间:ts 大定时间:ts 锁单时间:ts 取消时间:ts 订金:yuan 成交价:yuan 单车利润:yuan 支付方式:enum VIN:vin 销售顾问ID:code 推荐会员编码:code 蓝票时间:ts 红票时间:ts 订单状态:enum 更新时间:ts
dms.deliveries xlsx stable 7 交车单号 - 交车时间
交车单号:key 订单号:key VIN:vin 交车时间:ts 经销商代码:code 车牌号:text 销售顾问ID:code 里程:num
dms.vehicles csv stable 7 VIN 更新时间 -
VIN:key 车系:code 车型:code 颜色:text 软件版本:code 下线日期:date 发运日期:date 经销商代码:code 库存状态:enum 更新时间:ts
dms.service_orders csv stable 7 工单号 - 进厂时间
工单号:key 经销商代码:code VIN:vin 车牌号:text 车主姓名:name 送修人:name 送修人手机:mobile 进厂时间:ts 出厂时间:ts 维修类型:enum 故障部位:text 里程:num 金额:yuan 是否返修:bool
dms.addon_sales csv stable 7 单号 更新时间 支付时间
单号:key VIN:vin 手机:mobile 产品类型:enum 产品名称:text 金额:yuan 支付时间:ts 退款时间:ts 顾问ID:code 更新时间:ts
partner.members csv manifest 7 member_code updated_at -
member_code:key kind:enum name:name mobile:mobile unionid:key department:text base:text mentor_codes:text registered_at:ts status:enum updated_at:ts
partner.referrals csv manifest 7 referral_id updated_at referred_at
referral_id:key member_code:code channel:text customer_name:name mobile:mobile unionid:key inquiry_id:key referred_at:ts order_no:key reserve_time:ts buy_expire_time:ts status:enum updated_at:ts
partner.rewards csv manifest 7 reward_id updated_at -
reward_id:key referral_id:key member_code:code amount_fen:fen status:enum decided_at:ts updated_at:ts
workforce.staff csv manifest 7 staff_id updated_at -
staff_id:key name:name mobile:mobile unionid:key role:enum dealer_code:code department:text hired_on:date left_on:date updated_at:ts
workforce.training_records csv manifest 7 record_id updated_at -
record_id:key staff_id:code course_code:code course_minutes:num kind:enum assigned_at:ts due_at:ts completed_at:ts score:num satisfaction:num points:int updated_at:ts
workforce.content_posts csv manifest 7 post_id,stat_date - -
post_id:key stat_date:key staff_id:code platform:enum series_code:code posted_at:ts views:int likes:int saves:int comments:int shares:int followers:int
workforce.peer_reviews csv manifest 7 review_id - reviewed_at
review_id:key staff_id:code reviewer_kind:enum period:code score:num reviewed_at:ts
workforce.targets csv manifest 7 scope,scope_id,period,metric updated_at -
scope:key scope_id:key period:key metric:key target:num updated_at:ts
workforce.action_items csv manifest 7 item_id updated_at -
item_id:key region:text meeting_at:ts owner:code due_at:ts closed_at:ts updated_at:ts
workforce.quality_issues csv manifest 7 issue_id updated_at raised_at
issue_id:key vin:vin series_code:code fault_part:text source:enum raised_at:ts escalated_at:ts fixed_at:ts verified_at:ts updated_at:ts
"""  # noqa: E501 - one entity to a line reads better than its columns wrapped


@dataclass(frozen=True)
class Entity:
    """One kind of export: `columns` maps delivered names to kinds, in delivered order."""

    source: str
    name: str
    format: str
    completion: str
    cadence: int
    key: tuple[str, ...]
    version: str | None
    event_time: str | None
    columns: dict[str, str]

    @property
    def full_name(self) -> str:
        """`<source>.<entity>`."""
        return f"{self.source}.{self.name}"

    @property
    def is_immutable(self) -> bool:
        """Whether a later row with the same key is a duplicate."""
        return self.version is None


@cache
def entities() -> dict[str, Entity]:
    """Return every entity by full name, in the order of the page."""
    lines = [line for line in SPECIFICATION.strip().splitlines() if line]
    found = [_entity(head, columns) for head, columns in zip(lines[::2], lines[1::2], strict=True)]
    return {entity.full_name: entity for entity in found}


def _entity(head: str, columns: str) -> Entity:
    name, form, completion, cadence, key, version, event_time = head.split()
    source, entity = name.split(".")
    pairs: list[Any] = [item.rsplit(":", 1) for item in columns.split()]
    return Entity(
        source=source,
        name=entity,
        format=form,
        completion=completion,
        cadence=int(cadence),
        key=tuple(key.split(",")),
        version=None if version == "-" else version,
        event_time=None if event_time == "-" else event_time,
        columns=dict(pairs),
    )
