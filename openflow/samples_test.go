package openflow

import "net/netip"

func ip(s string) netip.Addr     { return netip.MustParseAddr(s) }
func cidr(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func mac(last byte) [6]byte { return [6]byte{0x02, 0, 0, 0, 0, last} }

var (
	v4    = EthType.Uint(ethTypeIPv4)
	v6    = EthType.Uint(ethTypeIPv6)
	arp   = EthType.Uint(ethTypeARP)
	icmp6 = IPProto.Uint(ipProtoICMPv6)
)

// sample is a flow and the text that ovs-ofctl shows for it.
type sample struct {
	text string
	flow Flow
}

// samples use each field and each action at least once. They have cookies and
// tables of their own, so that all fit in one switch.
var samples = []sample{
	{"actions=drop", Flow{Priority: 32768}},
	{"priority=0 actions=drop", Flow{}},
	{"cookie=0x1, table=10, priority=100,ip,reg0=0x5,nw_src=10.0.0.0/24 actions=drop",
		Flow{Cookie: 1, Table: 10, Priority: 100, Match: Match{Reg0.Uint(5), IPv4Src.Prefix(cidr("10.0.0.7/24")), v4}}},
	{"cookie=0xffffffff00000001, table=1, in_port=1 actions=output:2",
		Flow{Cookie: 0xffffffff00000001, Table: 1, Priority: 32768, Match: Match{InPort.Uint(1)}, Actions: []Action{Output{2}}}},
	{"table=1, priority=1,in_port=LOCAL actions=IN_PORT",
		Flow{Table: 1, Priority: 1, Match: Match{InPort.Uint(uint64(PortLocal))}, Actions: []Action{Output{PortInPort}}}},
	{"table=2, priority=1,reg0=0,reg1=0x10/0xf0,tun_id=0,metadata=0x1/0xff actions=CONTROLLER:128",
		Flow{Table: 2, Priority: 1, Match: Match{Metadata.UintMask(1, 0xff), TunID.Uint(0), Reg1.UintMask(0x10, 0xf0), Reg0.Uint(0)}, Actions: []Action{ToController{128}}}},
	{"table=2, priority=2,tun_id=0xffffff,tun_src=192.0.2.1,tun_dst=192.0.2.0/24,in_port=1 actions=goto_table:20",
		Flow{Table: 2, Priority: 2, Match: Match{TunIPv4Dst.Prefix(cidr("192.0.2.0/24")), TunIPv4Src.Addr(ip("192.0.2.1")), InPort.Uint(1), TunID.Uint(0xffffff)}, Goto: 20}},
	{"table=2, priority=3,tun_ipv6_src=2001:db8::1,tun_ipv6_dst=2001:db8::/32 actions=LOCAL",
		Flow{Table: 2, Priority: 3, Match: Match{TunIPv6Dst.Prefix(cidr("2001:db8::/32")), TunIPv6Src.Addr(ip("2001:db8::1"))}, Actions: []Action{Output{PortLocal}}}},
	{"table=2, priority=4,tun_id=0x100/0xff00 actions=drop", Flow{Table: 2, Priority: 4, Match: Match{TunID.UintMask(0x100, 0xff00)}}},
	{"table=3, priority=1,reg4=0x20010db8,reg5=0,reg6=0,reg7=0x1 actions=drop",
		Flow{Table: 3, Priority: 1, Match: Match{XXReg1.Addr(ip("2001:db8::1"))}}},
	{"table=3, priority=2,reg4=0x20010db8,reg5=0/0xffff0000 actions=drop",
		Flow{Table: 3, Priority: 2, Match: Match{XXReg1.Prefix(cidr("2001:db8::/48"))}}},
	{"table=3, priority=3,pkt_mark=0x1/0xff,reg15=0xffffffff actions=drop",
		Flow{Table: 3, Priority: 3, Match: Match{Reg15.Uint(0xffffffff), PktMark.UintMask(1, 0xff)}}},
	{"table=3, priority=4,conj_id=7,ip actions=drop", Flow{Table: 3, Priority: 4, Match: Match{ConjID.Uint(7), v4}}},
	{"table=4, priority=1,dl_src=02:00:00:00:00:01,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=drop",
		Flow{Table: 4, Priority: 1, Match: Match{EthDst.MACMask([6]byte{1}, [6]byte{1}), EthSrc.MAC(mac(1))}}},
	{"table=4, priority=2,dl_type=0x88cc actions=drop", Flow{Table: 4, Priority: 2, Match: Match{EthType.Uint(0x88cc)}}},
	{"table=5, priority=1,dl_vlan=100 actions=drop", Flow{Table: 5, Priority: 1, Match: Match{VLANVID.Uint(0x1064)}}},
	{"table=5, priority=2,vlan_tci=0x0000/0x1fff actions=drop", Flow{Table: 5, Priority: 2, Match: Match{VLANVID.Uint(0)}}},
	{"table=5, priority=3,vlan_tci=0x1000/0x1000 actions=drop", Flow{Table: 5, Priority: 3, Match: Match{VLANVID.UintMask(0x1000, 0x1000)}}},
	{"table=5, priority=4,dl_vlan=5,dl_vlan_pcp=3 actions=drop", Flow{Table: 5, Priority: 4, Match: Match{VLANPCP.Uint(3), VLANVID.Uint(0x1005)}}},
	{"table=6, priority=1,ip,nw_proto=2 actions=drop", Flow{Table: 6, Priority: 1, Match: Match{IPProto.Uint(2), v4}}},
	{"table=6, priority=2,tcp,nw_src=10.0.0.1,nw_dst=10.0.0.0/255.0.255.0,nw_tos=184,nw_ecn=1,nw_ttl=64,nw_frag=not_later,tp_src=80,tp_dst=0x50/0xfff0,tcp_flags=+syn-ack actions=drop",
		Flow{Table: 6, Priority: 2, Match: Match{v4, IPProto.Uint(6), TCPFlags.UintMask(2, 0x12), TCPSrc.Uint(80), TCPDst.UintMask(0x50, 0xfff0),
			IPv4Src.Addr(ip("10.0.0.1")), IPv4Dst.UintMask(0x0a000000, 0xff00ff00), IPDSCP.Uint(46), IPECN.Uint(1), IPTTL.Uint(64), IPFrag.UintMask(0, 2)}}},
	{"table=6, priority=3,udp,nw_frag=no,tp_src=53,tp_dst=53 actions=drop",
		Flow{Table: 6, Priority: 3, Match: Match{v4, IPProto.Uint(17), UDPSrc.Uint(53), UDPDst.Uint(53), IPFrag.Uint(0)}}},
	{"table=6, priority=4,sctp,nw_frag=first,tp_src=1,tp_dst=2 actions=drop",
		Flow{Table: 6, Priority: 4, Match: Match{v4, IPProto.Uint(132), SCTPSrc.Uint(1), SCTPDst.Uint(2), IPFrag.Uint(1)}}},
	{"table=6, priority=5,icmp,icmp_type=8,icmp_code=0 actions=drop",
		Flow{Table: 6, Priority: 5, Match: Match{v4, IPProto.Uint(1), ICMPv4Code.Uint(0), ICMPv4Type.Uint(8)}}},
	{"table=6, priority=6,ip,nw_frag=later actions=drop", Flow{Table: 6, Priority: 6, Match: Match{v4, IPFrag.Uint(3)}}},
	{"table=6, priority=7,ip,nw_frag=later actions=drop", Flow{Table: 6, Priority: 7, Match: Match{v4, IPFrag.UintMask(2, 2)}}},
	{"table=6, priority=8,tcp,tcp_flags=syn|ack actions=drop", Flow{Table: 6, Priority: 8, Match: Match{v4, IPProto.Uint(6), TCPFlags.Uint(0x12)}}},
	{"table=7, priority=1,tcp6,ipv6_src=2001:db8::1,ipv6_dst=2001:db8:1::/48,ipv6_label=0x00012,nw_ttl=1,tp_dst=443 actions=drop",
		Flow{Table: 7, Priority: 1, Match: Match{v6, IPProto.Uint(6), IPv6Label.Uint(0x12), IPv6Src.Addr(ip("2001:db8::1")), IPv6Dst.Prefix(cidr("2001:db8:1::/48")), TCPDst.Uint(443), IPTTL.Uint(1)}}},
	{"table=7, priority=2,udp6,tp_src=53 actions=drop", Flow{Table: 7, Priority: 2, Match: Match{v6, IPProto.Uint(17), UDPSrc.Uint(53)}}},
	{"table=7, priority=3,icmp6,ipv6_src=::,icmp_type=135,icmp_code=0,nd_target=fe80::1,nd_sll=02:00:00:00:00:01,nd_options_type=1 actions=drop",
		Flow{Table: 7, Priority: 3, Match: Match{v6, icmp6, ICMPv6Type.Uint(135), ICMPv6Code.Uint(0), IPv6Src.Addr(ip("::")), NDSLL.MAC(mac(1)), NDTarget.Addr(ip("fe80::1")), NDOptionsType.Uint(1)}}},
	{"table=7, priority=4,icmp6,icmp_type=136,nd_target=fe80::/10,nd_tll=02:00:00:00:00:01,nd_reserved=3758096384 actions=drop",
		Flow{Table: 7, Priority: 4, Match: Match{v6, icmp6, ICMPv6Type.Uint(136), NDReserved.Uint(0xe0000000), NDTLL.MAC(mac(1)), NDTarget.Prefix(cidr("fe80::/10"))}}},
	{"table=7, priority=5,ipv6,ipv6_src=::1.2.3.4,ipv6_dst=::ffff:1.2.3.4 actions=drop",
		Flow{Table: 7, Priority: 5, Match: Match{v6, IPv6Src.Addr(ip("::102:304")), IPv6Dst.Addr(ip("::ffff:1.2.3.4"))}}},
	{"table=7, priority=6,ipv6,ipv6_label=0x00010/0x000f0,nw_proto=59 actions=drop",
		Flow{Table: 7, Priority: 6, Match: Match{v6, IPv6Label.UintMask(0x10, 0xf0), IPProto.Uint(59)}}},
	{"table=7, priority=7,sctp6,tp_dst=9 actions=drop", Flow{Table: 7, Priority: 7, Match: Match{v6, IPProto.Uint(132), SCTPDst.Uint(9)}}},
	{"table=8, priority=1,arp,in_port=1,arp_spa=10.0.0.1,arp_tpa=10.0.0.0/8,arp_op=1,arp_sha=02:00:00:00:00:01,arp_tha=00:00:00:00:00:00 actions=drop",
		Flow{Table: 8, Priority: 1, Match: Match{arp, InPort.Uint(1), ARPSPA.Addr(ip("10.0.0.1")), ARPTPA.Prefix(cidr("10.0.0.0/8")), ARPOp.Uint(1), ARPSHA.MAC(mac(1)), ARPTHA.MAC([6]byte{})}}},
	{"table=8, priority=2,rarp actions=drop", Flow{Table: 8, Priority: 2, Match: Match{EthType.Uint(ethTypeRARP)}}},
	{"table=9, priority=1,ct_state=+new-est+trk,ct_zone=16,ct_mark=0x1/0xff,ct_label=0x1,ip actions=drop",
		Flow{Table: 9, Priority: 1, Match: Match{v4, CTState.UintMask(0x21, 0x23), CTZone.Uint(16), CTMark.UintMask(1, 0xff), CTLabel.Bytes([]byte{15: 1}, bytes16(0xff))}}},
	{"table=9, priority=2,ct_state=trk,ip actions=drop", Flow{Table: 9, Priority: 2, Match: Match{v4, CTState.Uint(0x20)}}},

	{"table=30, priority=1,arp actions=set_field:2->arp_op,move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]," +
		"move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],set_field:10.0.0.1->arp_spa,set_field:02:00:00:00:00:01->arp_sha,IN_PORT",
		Flow{Table: 30, Priority: 1, Match: Match{arp}, Actions: []Action{
			SetField{ARPOp.Uint(2)}, Move{Src: ARPSHA, Dst: ARPTHA, NBits: 48}, Move{Src: EthSrc, Dst: EthDst, NBits: 48}, Move{Src: ARPSPA, Dst: ARPTPA, NBits: 32},
			SetField{ARPSPA.Addr(ip("10.0.0.1"))}, SetField{ARPSHA.MAC(mac(1))}, Output{PortInPort}}}},
	{"table=30, priority=2 actions=set_field:02:00:00:00:00:02->eth_dst,load:0x1->NXM_NX_REG2[0],load:0->NXM_NX_REG2[1..3],load:0x5->NXM_NX_REG3[],resubmit(,31),output:2",
		Flow{Table: 30, Priority: 2, Actions: []Action{SetField{EthDst.MAC(mac(2))}, Load{1, Reg2, 0, 1}, Load{0, Reg2, 1, 3}, Load{5, Reg3, 0, 32}, Resubmit{31}, Output{2}}}},
	{"table=30, priority=3,ip actions=dec_ttl,set_field:10.0.0.2->ip_dst,set_field:10.0.0.1->ip_src,set_field:64->nw_ttl,set_field:46->ip_dscp,set_field:1->nw_ecn,goto_table:40",
		Flow{Table: 30, Priority: 3, Match: Match{v4}, Actions: []Action{DecTTL{}, SetField{IPv4Dst.Addr(ip("10.0.0.2"))}, SetField{IPv4Src.Addr(ip("10.0.0.1"))}, SetField{IPTTL.Uint(64)}, SetField{IPDSCP.Uint(46)}, SetField{IPECN.Uint(1)}}, Goto: 40}},
	{"table=30, priority=4 actions=set_field:0x64->tun_id,set_field:192.0.2.9->tun_dst,set_field:192.0.2.8->tun_src,set_field:2001:db8::9->tun_ipv6_dst,group:7",
		Flow{Table: 30, Priority: 4, Actions: []Action{SetField{TunID.Uint(100)}, SetField{TunIPv4Dst.Addr(ip("192.0.2.9"))}, SetField{TunIPv4Src.Addr(ip("192.0.2.8"))}, SetField{TunIPv6Dst.Addr(ip("2001:db8::9"))}, ToGroup{7}}}},
	{"table=30, priority=5 actions=meter:1,CONTROLLER:65535", Flow{Table: 30, Priority: 5, Meter: 1, Actions: []Action{ToController{65535}}}},
	{"table=30, priority=6 actions=meter:1,set_field:0->reg0,set_field:0x1->metadata,set_field:0x20010db8000000000000000000000001->xxreg1,goto_table:40",
		Flow{Table: 30, Priority: 6, Meter: 1, Goto: 40, Actions: []Action{SetField{Reg0.Uint(0)}, SetField{Metadata.Uint(1)}, SetField{XXReg1.Addr(ip("2001:db8::1"))}}}},
	{"table=30, priority=7,icmp6,icmp_type=136 actions=set_field:2->nd_options_type,set_field:3758096384->nd_reserved,set_field:02:00:00:00:00:01->nd_tll,set_field:fe80::1->nd_target," +
		"set_field:136->icmpv6_type,set_field:0->icmpv6_code,move:NXM_NX_XXREG1[]->NXM_NX_IPV6_SRC[],set_field:fe80::2->ipv6_dst,IN_PORT",
		Flow{Table: 30, Priority: 7, Match: Match{v6, icmp6, ICMPv6Type.Uint(136)}, Actions: []Action{SetField{NDOptionsType.Uint(2)}, SetField{NDReserved.Uint(0xe0000000)}, SetField{NDTLL.MAC(mac(1))},
			SetField{NDTarget.Addr(ip("fe80::1"))}, SetField{ICMPv6Type.Uint(136)}, SetField{ICMPv6Code.Uint(0)}, Move{Src: XXReg1, Dst: IPv6Src, NBits: 128}, SetField{IPv6Dst.Addr(ip("fe80::2"))}, Output{PortInPort}}}},
	{"table=30, priority=8 actions=load:0x3->NXM_NX_REG2[4..7],load:0x1->NXM_NX_REG2[31],move:NXM_NX_TUN_ID[0..23]->NXM_NX_REG0[0..23],move:OXM_OF_METADATA[0]->NXM_NX_REG1[5],set_field:0x5->pkt_mark",
		Flow{Table: 30, Priority: 8, Actions: []Action{SetField{Reg2.UintMask(0x80000030, 0x800000f0)}, Move{Src: TunID, Dst: Reg0, NBits: 24}, Move{Src: Metadata, Dst: Reg1, DstOfs: 5, NBits: 1}, SetField{PktMark.Uint(5)}}}},
	{"table=30, priority=9,dl_vlan=7 actions=set_field:4108->vlan_vid,set_field:5->vlan_pcp,output:1",
		Flow{Table: 30, Priority: 9, Match: Match{VLANVID.Uint(0x1007)}, Actions: []Action{SetField{VLANVID.Uint(0x100c)}, SetField{VLANPCP.Uint(5)}, Output{1}}}},
	{"table=30, priority=10,udp actions=set_field:53->udp_dst,set_field:54->udp_src,load:0x1->OXM_OF_METADATA[8..15],load:0x102->NXM_NX_XXREG0[0..63],output:1",
		Flow{Table: 30, Priority: 10, Match: Match{v4, IPProto.Uint(17)}, Actions: []Action{SetField{UDPDst.Uint(53)}, SetField{UDPSrc.Uint(54)}, Load{1, Metadata, 8, 8}, Load{0x102, XXReg0, 0, 64}, Output{1}}}},

	{"table=9, priority=3,ct_state=-est+rpl-inv+trk+snat-dnat,ct_zone=65535,ct_mark=0x5,udp6,tp_src=0x8000/0x8000,tp_dst=53 actions=drop",
		Flow{Table: 9, Priority: 3, Match: Match{v6, IPProto.Uint(17), UDPDst.Uint(53), UDPSrc.UintMask(0x8000, 0x8000), CTMark.Uint(5), CTZone.Uint(65535), CTState.UintMask(0x68, 0xfa)}}},
	{"table=9, priority=8,ip,metadata=0xc00100/0xffffe0 actions=ct(commit,zone=9,exec(move:NXM_NX_REG4[0..7]->NXM_NX_CT_LABEL[8..15],move:NXM_NX_REG5[]->NXM_NX_CT_LABEL[96..127])),output:2",
		Flow{Table: 9, Priority: 8, Match: Match{v4, Metadata.UintMask(0xc00100, 0xffffe0)}, Actions: []Action{
			CT{Commit: true, Zone: 9, Label: [3]Move{{Src: Reg4, Dst: CTLabel, DstOfs: 8, NBits: 8}, {Src: Reg5, Dst: CTLabel, DstOfs: 96, NBits: 32}}}, Output{2}}}},
	{"table=9, priority=9,ip,nw_src=10.0.0.0/8 actions=conjunction(7,1/2)", Flow{Table: 9, Priority: 9, Match: Match{v4, IPv4Src.Prefix(cidr("10.0.0.0/8"))}, Actions: []Action{Conjunction{7, 1, 2}}}},
	{"table=9, priority=9,ip,nw_dst=10.0.0.0/8 actions=conjunction(7,2/2),conjunction(8,3/3)",
		Flow{Table: 9, Priority: 9, Match: Match{v4, IPv4Dst.Prefix(cidr("10.0.0.0/8"))}, Actions: []Action{Conjunction{7, 2, 2}, Conjunction{8, 3, 3}}}},
	{"table=9, priority=9,conj_id=7 actions=output:2", Flow{Table: 9, Priority: 9, Match: Match{ConjID.Uint(7)}, Actions: []Action{Output{2}}}},
	{"table=9, priority=4,ct_state=+inv+trk,ip,in_port=1 actions=ct(table=10)",
		Flow{Table: 9, Priority: 4, Match: Match{v4, InPort.Uint(1), CTState.UintMask(0x30, 0x30)}, Actions: []Action{CT{Table: 10}}}},

	{"table=31, priority=1,ip actions=ct()", Flow{Table: 31, Priority: 1, Match: Match{v4}, Actions: []Action{CT{}}}},
	{"table=31, priority=2,ip actions=ct(commit,force,table=254,zone=65535,nat(src=192.0.2.1),exec(set_field:0x7->ct_mark)),output:1",
		Flow{Table: 31, Priority: 2, Match: Match{v4}, Actions: []Action{CT{Commit: true, Force: true, Zone: 65535, Table: 254,
			NAT: NAT{Kind: NATSource, Min: ip("192.0.2.1")}, Mark: CTMark.Uint(7)}, Output{1}}}},
	{"table=31, priority=3,ip actions=ct(table=32,zone=NXM_NX_REG0[0..15],nat)",
		Flow{Table: 31, Priority: 3, Match: Match{v4}, Actions: []Action{CT{Table: 32, ZoneField: Reg0, NAT: NAT{Kind: NATKnown}}}}},
	{"table=31, priority=4,ip actions=ct(commit,zone=NXM_NX_REG1[16..31],nat(src=192.0.2.1-192.0.2.9:1024-65535),exec(load:0x1->NXM_NX_CT_MARK[0..3],load:0->NXM_NX_CT_MARK[31]))",
		Flow{Table: 31, Priority: 4, Match: Match{v4}, Actions: []Action{CT{Commit: true, ZoneField: Reg1, ZoneOfs: 16,
			NAT: NAT{NATSource, ip("192.0.2.1"), ip("192.0.2.9"), 1024, 65535}, Mark: CTMark.UintMask(1, 0x8000000f)}}}},
	{"table=31, priority=5,tcp actions=ct(commit,table=32,zone=NXM_NX_CT_ZONE[],nat(dst=10.0.0.1:80))",
		Flow{Table: 31, Priority: 5, Match: Match{v4, IPProto.Uint(6)}, Actions: []Action{CT{Commit: true, Table: 32, ZoneField: CTZone, NAT: NAT{Kind: NATDest, Min: ip("10.0.0.1"), PortMin: 80}}}}},
	{"table=31, priority=6,ip actions=ct(commit,zone=OXM_OF_METADATA[48..63],nat(dst=10.0.0.1))", // a range of one is none
		Flow{Table: 31, Priority: 6, Match: Match{v4}, Actions: []Action{CT{Commit: true, ZoneField: Metadata, ZoneOfs: 48, NAT: NAT{Kind: NATDest, Min: ip("10.0.0.1"), Max: ip("10.0.0.1")}}}}},
	{"table=31, priority=7,ipv6 actions=ct(commit,nat(src=2001:db8::1-2001:db8::9))",
		Flow{Table: 31, Priority: 7, Match: Match{v6}, Actions: []Action{CT{Commit: true, NAT: NAT{Kind: NATSource, Min: ip("2001:db8::1"), Max: ip("2001:db8::9")}}}}},
	{"table=31, priority=8,ipv6 actions=ct(commit,nat(src=[2001:db8::1]-[2001:db8::9]:5-6)),ct(commit,zone=1,nat(dst=[::1.2.3.4]:80)),ct(commit,nat(dst=::ffff:1.2.3.4))",
		Flow{Table: 31, Priority: 8, Match: Match{v6}, Actions: []Action{CT{Commit: true, NAT: NAT{NATSource, ip("2001:db8::1"), ip("2001:db8::9"), 5, 6}},
			CT{Commit: true, Zone: 1, NAT: NAT{Kind: NATDest, Min: ip("::102:304"), PortMin: 80, PortMax: 80}}, CT{Commit: true, NAT: NAT{Kind: NATDest, Min: ip("::ffff:1.2.3.4")}}}}},
	{"table=31, priority=9,ip,nw_dst=192.0.2.1 actions=ct_clear,ct(commit,nat),load:0->OXM_OF_IN_PORT[],ct(table=32,zone=5)",
		Flow{Table: 31, Priority: 9, Match: Match{v4, IPv4Dst.Addr(ip("192.0.2.1"))}, Actions: []Action{CTClear{}, CT{Commit: true, NAT: NAT{Kind: NATKnown}}, Load{0, InPort, 0, 32}, CT{Zone: 5, Table: 32}}}},
	{"table=31, priority=10 actions=check_pkt_larger(1500)->NXM_NX_REG2[3],check_pkt_larger(65535)->NXM_NX_XXREG1[127],check_pkt_larger(0)->OXM_OF_METADATA[0],resubmit(,32)",
		Flow{Table: 31, Priority: 10, Actions: []Action{CheckPktLarger{1500, Reg2, 3}, CheckPktLarger{65535, XXReg1, 127}, CheckPktLarger{0, Metadata, 0}, Resubmit{32}}}},
	{"table=31, priority=11 actions=push_vlan:0x8100,set_field:4196->vlan_vid,set_field:3->vlan_pcp,output:2,pop_vlan,output:1",
		Flow{Table: 31, Priority: 11, Actions: []Action{PushVLAN{}, SetField{VLANVID.Uint(0x1064)}, SetField{VLANPCP.Uint(3)}, Output{2}, PopVLAN{}, Output{1}}}},
	{"table=31, priority=12,ip,dl_vlan=100,dl_vlan_pcp=3 actions=pop_vlan,push_vlan:0x8100,load:0x65->OXM_OF_VLAN_VID[],dec_ttl,output:1",
		Flow{Table: 31, Priority: 12, Match: Match{v4, VLANVID.Uint(0x1064), VLANPCP.Uint(3)}, Actions: []Action{PopVLAN{}, PushVLAN{}, Load{0x65, VLANVID, 0, 12}, DecTTL{}, Output{1}}}},
	{"table=31, priority=13,tcp,vlan_tci=0x0000/0x1fff actions=push_vlan:0x8100,set_field:10.0.0.1->ip_dst,set_field:80->tcp_dst,set_field:4097->vlan_vid,output:2",
		Flow{Table: 31, Priority: 13, Match: Match{v4, VLANVID.Uint(0), IPProto.Uint(6)}, Actions: []Action{PushVLAN{}, SetField{IPv4Dst.Addr(ip("10.0.0.1"))}, SetField{TCPDst.Uint(80)}, SetField{VLANVID.Uint(0x1001)}, Output{2}}}},
	{"table=31, priority=14 actions=load:0xffffffff->OXM_OF_IN_PORT[],output:1,move:NXM_NX_REG1[]->OXM_OF_IN_PORT[],move:OXM_OF_IN_PORT[]->NXM_NX_REG2[],resubmit(,32)",
		Flow{Table: 31, Priority: 14, Actions: []Action{Load{uint64(PortAny), InPort, 0, 32}, Output{1}, Move{Src: Reg1, Dst: InPort, NBits: 32}, Move{Src: InPort, Dst: Reg2, NBits: 32}, Resubmit{32}}}},
}

func bytes16(c byte) []byte {
	b := make([]byte, 16)
	for i := range b {
		b[i] = c
	}
	return b
}
