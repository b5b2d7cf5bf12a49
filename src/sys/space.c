/* What kind of file system something lies on, and how much room there is. */
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/base.h"
#include "sys/scan.h"

#define FUSE_MAGIC 0x65735546

static const struct {
	int64_t magic;
	const char *name;
	bool network;
} kinds[] = {
	{ 0xef53, "ext4", false },
	{ 0x58465342, "xfs", false },
	{ 0x9123683e, "btrfs", false },
	{ 0x01021994, "tmpfs", false },
	{ 0x858458f6, "ramfs", false },
	{ 0x794c7630, "overlay", false },
	{ 0x2fc12fc1, "zfs", false },
	{ 0xf2f52010, "f2fs", false },
	{ 0xca451a4e, "bcachefs", false },
	{ 0x4d44, "vfat", false },
	{ 0x2011bab0, "exfat", false },
	{ 0x5346544e, "ntfs", false },
	{ 0x7366746e, "ntfs3", false },
	{ 0x52654973, "reiserfs", false },
	{ 0x3153464a, "jfs", false },
	{ 0x9660, "iso9660", false },
	{ 0x73717368, "squashfs", false },
	{ 0xe0f5e1e2, "erofs", false },
	{ FUSE_MAGIC, "fuse", false },
	{ 0x6969, "nfs", true },
	{ 0xff534d42, "cifs", true },
	{ 0xfe534d42, "smb2", true },
	{ 0x517b, "smb", true },
	{ 0x0bd00bd0, "lustre", true },
	{ 0x47504653, "gpfs", true },
	{ 0x00c36400, "ceph", true },
	{ 0x5346414f, "afs", true },
	{ 0x6b414653, "afs", true },
	{ 0x01021997, "9p", true },
	{ 0x73757245, "coda", true },
	{ 0x564c, "ncp", true },
	{ 0x7461636f, "ocfs2", true },
	{ 0x01161970, "gfs2", true },
	{ 0x19830326, "beegfs", true },
	{ 0x20030528, "pvfs2", true },
	{ 0xaad7aaea, "panfs", true },
	{ 0xbacbacbc, "vmhgfs", true },
	{ 0x786f4256, "vboxsf", true },
};

const char *file_system_name(int64_t magic)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].magic == magic)
			return kinds[i].name;
	return "unknown";
}

bool file_system_is_network(int64_t magic)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].magic == magic)
			return kinds[i].network;
	return false;
}

bool file_fuse_is_network(const char *subtype)
{
	static const char *const names[] = {
		"sshfs", "s3fs", "gcsfuse", "rclone", "glusterfs", "ceph", "ceph-fuse", "cvmfs2",
		"davfs", "davfs2", "curlftpfs", "goofys", "mount-s3", "blobfuse", "blobfuse2",
		"juicefs", "seaweedfs", "weed", "moosefs", "mfs", "mfsmount", "lizardfs",
		"gvfsd-fuse", "google-drive-ocamlfuse", "hdfs", "fuse_dfs", "xrootdfs", "afpfs",
		"smbnetfs", "nfs", "beegfs", "orangefs", "alluxio-fuse", "dislocker-nfs",
		"vmhgfs-fuse",
	};

	if (strncmp(subtype, "fuse.", 5) == 0)
		subtype += 5;
	else if (strncmp(subtype, "fuseblk", 7) == 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(subtype, names[i]) == 0)
			return true;
	return false;
}

/* The type column of the mount with this device number: "36 35 98:0 / /mnt opts - TYPE src ..." */
static bool mount_type(dev_t dev, char *out, size_t size)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t cap = 0;
	bool found = false;

	if (!f)
		return false;
	while (getline(&line, &cap, f) > 0) {
		const char *p = line, *dash, *colon;
		int64_t major_no, minor_no;
		struct str place;
		size_t n;

		(void)scan_word(&p);
		(void)scan_word(&p);
		place = scan_word(&p);
		colon = memchr(place.p, ':', place.n);
		if (!colon || !scan_number(place.p, 10, &major_no) ||
		    !scan_number(colon + 1, 10, &minor_no) ||
		    makedev((unsigned)major_no, (unsigned)minor_no) != dev)
			continue;
		dash = strstr(line, " - ");
		if (!dash)
			continue;
		dash += 3;
		n = MIN(strcspn(dash, " \n"), size - 1);
		memcpy(out, dash, n);
		out[n] = '\0';
		found = true;
	}
	free(line);
	(void)fclose(f);
	return found;
}

int file_system_of(int fd, char *name, bool *network, struct err *err)
{
	char type[64];
	struct statfs fs;
	struct stat st;
	int64_t magic;
	int r;

	do
		r = fstatfs(fd, &fs);
	while (r < 0 && errno == EINTR);
	if (r < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "cannot look at file system");
	magic = (int64_t)(uint32_t)fs.f_type;
	(void)snprintf(name, 32, "%s", file_system_name(magic));
	*network = file_system_is_network(magic);
	if (magic == FUSE_MAGIC && mount_type(st.st_dev, type, sizeof(type))) {
		(void)snprintf(name, 32, "%.31s", type);
		*network = file_fuse_is_network(type);
	}
	return 0;
}

static int64_t scaled(uint64_t blocks, uint64_t size)
{
	return size && blocks > (uint64_t)INT64_MAX / size ? INT64_MAX : (int64_t)(blocks * size);
}

int file_space(int fd, struct file_space *out, struct err *err)
{
	struct statvfs v;
	int r;

	do
		r = fstatvfs(fd, &v);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(err, "cannot look at file system");
	out->bytes_free = scaled(v.f_bavail, v.f_frsize);
	out->bytes_total = scaled(v.f_blocks, v.f_frsize);
	out->inodes_free = v.f_files ? scaled(v.f_favail, 1) : INT64_MAX;
	out->inodes_total = v.f_files ? scaled(v.f_files, 1) : INT64_MAX;
	return 0;
}
