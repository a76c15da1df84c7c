// The schema beside this file is compiled by CapnProtoPlugin.
